from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class LendingConfig(AppConfig):
    name = "lending"
    verbose_name = _("Lending")

    def ready(self) -> None:
        from lending.services import commands  # noqa: F401  (registers what needs a second person)

        post_migrate.connect(_install_partitions, sender=self)
        post_migrate.connect(_install_reference, sender=self)
        post_migrate.connect(_install_roles)


def _install_partitions(**kwargs: Any) -> None:
    from lending import partitions

    partitions.install()


def _install_reference(**kwargs: Any) -> None:
    from lending import reference

    reference.install()


def _install_roles(**kwargs: Any) -> None:
    from lending import roles

    roles.install(**kwargs)
