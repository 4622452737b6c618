from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RiskConfig(AppConfig):
    name = "risk"
    verbose_name = _("Risk")

    def ready(self) -> None:
        post_migrate.connect(_install_reference, sender=self)


def _install_reference(**kwargs: Any) -> None:
    from risk import reference

    reference.install()
