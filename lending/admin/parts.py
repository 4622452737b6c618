"""What pages of the staff admin are made of: sections, cards and the little marks in their cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lending.words import percent

__all__ = [
    "Card",
    "Section",
    "Timeline",
    "allowed",
    "label",
    "link",
    "money",
    "page_of",
    "percent",
    "record_link",
    "state_label",
]

# The tones of the admin's labels, by what they say. They are the admin theme's own classes.
_TONES = {
    "": "bg-base-500/8 text-base-700 dark:bg-base-500/20 dark:text-base-200",
    "info": "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    "success": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "warning": "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
    "danger": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
}

# The tone of a state: one word for the whole house, so that the same state looks the same on every page.
_STATES = {
    "success": """ACTIVE APPROVED ACCEPTED BOOKED SETTLED LIVE PAID SENT DELIVERED PLEDGED CAPTURED VERIFIED
        KEPT CHAMPION GRANTED GREEN APPLIED POSTED DONE READY RESOLVED""",
    "info": """RUNNING DRAFT SUBMITTED OFFERED PENDING PROPOSED AUTHORISED STARTED SHADOW VALIDATED CHALLENGER
        REMINDING PROSPECT PLANNED HELD UPLOADED CONFIRMED""",
    "warning": "CLOSING REFERRED SUSPENDED CALLING DEMANDING ACCELERATED LAPSED OPEN YELLOW ORANGE REFUSED DUPLICATE"
    " FOREIGN",
    "danger": "DECLINED BLOCKED WRITTEN_OFF REJECTED FAILED LEGAL BROKEN ENFORCED RED PROBLEM",
}
_TONE_OF = {state: tone for tone, states in _STATES.items() for state in states.split()}


@dataclass(frozen=True)
class Section:
    """A titled table on a record's page. Cells are plain values, or what `link` and `label` make of them.

    It is shown only to those who hold `permission` ("app.codename"), when one is named.
    """

    title: Any
    columns: Sequence[Any] = ()
    rows: Sequence[Sequence[Any]] = ()
    links: Sequence[SafeString] = ()
    permission: str = ""
    note: Any = ""
    # Key and value side by side instead of a table: rows of two.
    facts: bool = False
    # Where it stands on the customer's page: a tab's name, "" for the overview.
    tab: str = ""


@dataclass(frozen=True)
class Card:
    """A figure on the dashboard with a link to what is behind it, for those who hold `permission`."""

    title: Any
    value: Any
    url: str = ""
    note: Any = ""
    icon: str = "inbox"
    tone: str = ""
    permission: str = ""


@dataclass
class Timeline:
    """One line of a timeline: what happened, in words, by whom, with the figures that changed."""

    at: Any
    who: str
    words: str
    changes: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""


def link(text: Any, url: str) -> SafeString:
    return format_html('<a href="{}" class="staff-link">{}</a>', url, text)


def label(text: Any, tone: str = "") -> SafeString:
    """A small coloured mark; `tone` is "", info, success, warning or danger."""
    return format_html('<span class="staff-label {}">{}</span>', _TONES[tone], text)


def state_label(record: Any, field: str = "state") -> SafeString:
    """The state of a record in words, in the tone of that state."""
    return label(getattr(record, f"get_{field}_display")(), _TONE_OF.get(getattr(record, field), ""))


def page_of(record: Model | None) -> str:
    """The address of the record's page in the admin, "" when there is none."""
    if record is None:
        return ""
    name = f"admin:{record._meta.app_label}_{record._meta.model_name}_change"
    try:
        return reverse(name, args=[quote(record.pk)])
    except NoReverseMatch:
        return ""


def record_link(record: Model | None, text: Any = None) -> SafeString | str:
    """A link to the record's page, or a dash."""
    if record is None:
        return "–"
    words = str(record) if text is None else text
    return link(words, url) if (url := page_of(record)) else words


def money(amount: Decimal | str | None) -> str:
    """1,234.50: staff read columns of figures, in the one currency of the house; a dash for nothing at all."""
    return "–" if amount is None else number_format(Decimal(amount), 2, force_grouping=True)


def allowed(user: Any, parts: Iterable[Any]) -> list[Any]:
    """The sections or cards that this user may see."""
    return [part for part in parts if not part.permission or user.has_perm(part.permission)]
