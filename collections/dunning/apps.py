from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class DunningConfig(AppConfig):
    name = "dunning"
    verbose_name = _("Collections")

    def ready(self) -> None:
        post_migrate.connect(_install_reference, sender=self)


def _install_reference(**kwargs: Any) -> None:
    from dunning import reference

    reference.install()
