import gc
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

# Python looks for cycles after so many new objects, by default 700: a batch holds tens of thousands of rows and no
# cycle, and looking took a fifth of the time of posting it.
NEW_OBJECTS = 50_000


class LendingConfig(AppConfig):
    name = "lending"
    verbose_name = _("Lending")

    def ready(self) -> None:
        from lending import driver
        from lending.services import commands  # noqa: F401  (registers what needs a second person)

        gc.set_threshold(NEW_OBJECTS)
        connection_created.connect(driver.set_up)
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
