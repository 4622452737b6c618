"""Column types of the house: money, encrypted text, and the state of a machine."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models
from django_fsm import FSMField

ZERO = Decimal("0.00")


def money(verbose_name: Any = None, **options: Any) -> models.DecimalField:
    """An amount in the currency's minor unit (two decimals, below 10^16)."""
    if not options.get("null"):
        options.setdefault("default", ZERO)
    return models.DecimalField(verbose_name, max_digits=18, decimal_places=2, **options)


def rate(verbose_name: Any = None, **options: Any) -> models.DecimalField:
    """A yearly (or per-instalment) rate as a fraction: 0.12 is twelve per cent."""
    options.setdefault("default", Decimal(0))
    return models.DecimalField(verbose_name, max_digits=12, decimal_places=8, **options)


class StateField(FSMField):
    """The column of a state machine; only transitions may change it.

    Migrations see plain text. The database knows no transitions, and each column that has them looks at every model
    that a migration makes, again and again.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"protected": True, **options})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, options = super().deconstruct()
        del options["protected"]
        return name, "django.db.models.CharField", args, options


def state(states: type[models.TextChoices], default: str, verbose_name: Any = None) -> StateField:
    """A `StateField` of these states. Pair it with `known_states`."""
    return StateField(verbose_name, max_length=16, choices=states.choices, default=default)


def known_states(model: str, states: type[models.TextChoices]) -> models.CheckConstraint:
    """The database's own word on which states exist."""
    return models.CheckConstraint(
        condition=models.Q(state__in=sorted(states.values)), name=f"{model}_state_known"
    )


def not_negative(model: str, *columns: str) -> models.CheckConstraint:
    """None of these amounts may fall below zero."""
    condition = models.Q(**{f"{column}__gte": 0 for column in columns})
    return models.CheckConstraint(condition=condition, name=f"{model}_amounts_not_negative")


@lru_cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher of `settings.FIELD_ENCRYPTION_KEYS`: the first key encrypts, all of them decrypt."""
    return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS))


def digest(value: str) -> str:
    """A keyed fingerprint of an encrypted value, for equality look-ups and uniqueness (64 hex digits).

    Keyed with its own secret, not with the encryption keys, so that look-ups survive a rotation.
    """
    key = hashlib.sha256(b"field-digest" + settings.FIELD_DIGEST_KEY.encode()).digest()
    return hmac.new(key, value.strip().upper().encode(), hashlib.sha256).hexdigest()


class EncryptedTextField(models.TextField):
    """Text that is encrypted at rest. It cannot be searched: keep a `digest` beside it."""

    def get_prep_value(self, value: Any) -> Any:
        if value in (None, ""):
            return value
        token = cipher().encrypt(str(value).encode())
        return base64.b64encode(token).decode()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if value in (None, ""):
            return value
        return cipher().decrypt(base64.b64decode(value)).decode()


def masked(value: str, keep_start: int = 3, keep_end: int = 4) -> str:
    """The value with its middle hidden: 138****1234. Short values are hidden whole."""
    if len(value) <= keep_start + keep_end:
        return "*" * len(value)
    hidden = len(value) - keep_start - keep_end
    return value[:keep_start] + "*" * hidden + value[-keep_end:]
