from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Someone who signs in: a customer, a member of staff, or a machine with an API token."""

    language = models.CharField(_("language"), max_length=10, blank=True)

    class Meta(AbstractUser.Meta):
        verbose_name = _("user")  # type: ignore[assignment]  # a lazy text, as Django wants it
        verbose_name_plural = _("users")  # type: ignore[assignment]

    @property
    def is_customer(self) -> bool:
        return not self.is_staff and hasattr(self, "customer")
