"""Messages owed to customers: put into words when they are owed, sent when they are due.

A message is a row before it is anything else, so a dead worker loses none. Sending is at least once: a crash
after the provider took a message and before our commit sends it again, under the same key, which the
provider drops.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template import Context, Engine, Template, TemplateDoesNotExist, TemplateSyntaxError
from django.utils import formats, timezone, translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from lending import bulk, events, messaging, pay_links, words
from lending.errors import Refused
from lending.models import Customer, Notice, NoticeTemplate, User
from lending.notice_templates import BANNED, VARIABLES
from lending.services import locking
from lending.shares import CUSTOMERS, EVERYBODY, Share


@dataclass(frozen=True, slots=True)
class Wording:
    """The newest version of a template."""

    template_id: int
    language: str
    subject: str
    body: str


Templates = dict[tuple[str, str, str], Wording]  # by code, channel and language

# Asked for every message, so it is kept plain.
NEWEST = bulk.Tuples(
    """
SELECT DISTINCT ON (code, channel, language) code, channel, language, id, subject, body
FROM lending_noticetemplate WHERE code = ANY(%s) ORDER BY code, channel, language, version DESC
"""
)
# The next messages to be sent to every so many-th customer, and who they are for. Asked every minute.
DUE = bulk.Select(
    Notice,
    f"state = 'PENDING' AND send_after <= %s AND {CUSTOMERS} ORDER BY send_after, id LIMIT %s"
    " FOR NO KEY UPDATE SKIP LOCKED",
)
PEOPLE = bulk.Select(Customer, "id = ANY(%s::bigint[])", locking.SEEN)

log = logging.getLogger(__name__)

SERVICE = "SERVICE"  # the purpose of what is no reminder and no demand
Channel = Notice.Channel

# How long to wait after the first, second, ... failure; when they are used up, the message has failed.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480))
# Messages sent per transaction: what a crash may send twice, and how long rows stay locked.
BATCH = 20
LONGEST_KEY = 110
# What a message takes from its customer.
ADDRESSED = ("name", "language", "phone", "email")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to be written: what `queue` takes, for many at once."""

    customer: Customer
    template: str
    context: Mapping[str, Any]
    key: str
    purpose: str = SERVICE
    channels: Sequence[str] | None = None
    send_after: datetime | None = None
    at: datetime | None = None  # when it is written, if not with the others


@dataclass(frozen=True)
class Hold:
    """A screen's word that a message may not go out now: for good, or until a moment."""

    reason: str
    until: datetime | None = None


def people(ids: Iterable[int]) -> dict[int, Customer]:
    """The customers that messages are for, by number; their identity numbers only when asked for."""
    wanted = sorted(set(ids))
    return {person.pk: person for person in PEOPLE(wanted)} if wanted else {}


def queue(
    *,
    customer: Customer,
    template: str,
    context: Mapping[str, Any],
    key: str,
    at: datetime,
    purpose: str = SERVICE,
    channels: Sequence[str] | None = None,
    send_after: datetime | None = None,
) -> list[Notice]:
    """Write a message in the customer's language, once per channel, and return its notices.

    The same key again writes nothing and returns what is there. Without `channels` it goes to the app, and
    by SMS and e-mail where there is an address; a channel without address or words is left out. Raises
    LookupError for an unknown template and ValueError when the context lacks something that the words need.
    """
    message = Message(
        customer=customer,
        template=template,
        context=context,
        key=key,
        purpose=purpose,
        channels=channels,
        send_after=send_after,
    )
    return queue_many([message], at=at)


def queue_many(messages: Iterable[Message], *, at: datetime) -> list[Notice]:
    """Like `queue`, for many messages in three statements, and a fourth where some were written before."""
    messages = list(messages)
    if not messages:
        return []
    templates = _newest({message.template for message in messages})
    rows = {row.key: row for message in messages for row in _notices(message, templates, at)}
    written = bulk.create_many(list(rows.values()), ignore_known=True)
    if len(written) == len(rows):
        return written
    return list(Notice.objects.filter(key__in=list(rows)).order_by("pk"))


def _newest(codes: set[str]) -> Templates:
    found = {
        (code, channel, language): Wording(number, language, subject, body)
        for code, channel, language, number, subject, body in NEWEST(sorted(codes))
    }
    if unknown := codes - {code for code, _channel, _language in found}:
        raise LookupError(f"no message template: {', '.join(sorted(unknown))}")
    return found


def _notices(message: Message, templates: Templates, at: datetime) -> Iterable[Notice]:
    at = message.at or at
    customer, send_after, key = message.customer, message.send_after or at, _short(message.key)
    values: dict[str, Mapping[str, Any]] = {}
    for channel in message.channels or (Channel.IN_APP, Channel.SMS, Channel.EMAIL):
        template = _in_language(templates, message.template, channel, customer.language)
        if template is None or not has_address(customer, channel):
            continue
        if template.language not in values:
            values[template.language] = _values(customer, message.context, template.language, send_after)
        subject, body = render(template.subject, template.body, values[template.language])
        # A message in the app has nowhere to be sent: it is there for the customer to see.
        at_once = channel == Channel.IN_APP and send_after <= at
        yield bulk.new(
            Notice,
            customer_id=customer.pk,
            state=Notice.State.SENT if at_once else Notice.State.PENDING,
            sent_at=at if at_once else None,
            channel=channel,
            template_id=template.template_id,
            purpose=message.purpose,
            subject=subject,
            body=body,
            key=f"{key}:{channel}",
            send_after=send_after,
            created_at=at,
        )


def _short(key: str) -> str:
    """The key, or where it is long its beginning and a fingerprint of the whole."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 33]}~{sha256(key.encode()).hexdigest()[:32]}"


def _in_language(templates: Templates, code: str, channel: str, language: str) -> Wording | None:
    wanted = (language.lower(), language.lower().partition("-")[0], settings.LANGUAGE_CODE, "en")
    return next((t for lang in wanted if (t := templates.get((code, channel, lang)))), None)


def has_address(customer: Customer, channel: str) -> bool:
    return bool({Channel.SMS: customer.phone, Channel.EMAIL: customer.email}.get(Channel(channel), True))


# --- words --------------------------------------------------------------------------------------------------


class _Missing(str):
    """What stands for a value that was not given: a message with a hole in it must not go out."""

    __slots__ = ()

    def __contains__(self, _item: object) -> bool:
        return True

    def __mod__(self, name: object) -> str:
        raise ValueError(f"the words need a value for {name}")


# Plain text, so nothing is escaped; no loaders and no libraries, so words can reach nothing but their values.
_ENGINE = Engine(autoescape=False, string_if_invalid=_Missing("?"))


@lru_cache(maxsize=2048)
def _compiled(text: str) -> Template:
    return _ENGINE.from_string(text)


def render(subject: str, body: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The subject (one line) and body with the values filled in; raises ValueError where one is missing."""
    context = Context(dict(values), autoescape=False)
    one_line = " ".join(_compiled(subject).render(context).split())
    return one_line[:200], _compiled(body).render(context)


def _values(customer: Customer, context: Mapping[str, Any], language: str, at: datetime) -> dict[str, Any]:
    """What every template knows, and what its caller gives. The link to pay needs no signing in, see `pay_links`; it is
    made where the words ask for it."""
    with translation.override(language):
        return {
            "name": customer.name,
            "site": settings.SITE_NAME,
            "home_url": f"{settings.SITE_URL}/",
            "pay_url": lambda: _pay_url(customer.pk, timezone.localtime(at).date()),
            **{name: _in_local_form(value) for name, value in context.items()},
        }


def _pay_url(customer_id: int, on: date) -> str:
    return f"{settings.SITE_URL}/p/{pay_links.token(customer_id, on)}/"


def _in_local_form(value: Any) -> Any:
    if isinstance(value, Decimal):
        return words.money(value)
    if isinstance(value, datetime):
        return formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, date):
        return formats.date_format(value, "DATE_FORMAT")
    if isinstance(value, list | tuple):
        return [_in_local_form(part) for part in value]
    return str(value)


@transaction.atomic
def revise(
    *, code: str, channel: str, language: str, subject: str, body: str, by: User | None, at: datetime
) -> NoticeTemplate:
    """Put a new version of a template in force; the old ones stay.

    Raises Refused when the words cannot be read, need a value that this message does not have, or threaten.
    """
    if banned := [word for word in BANNED if word in f"{subject} {body}".lower()]:
        raise Refused(
            "banned_words", _("Messages do not threaten: %(word)s") % {"word": banned[0]}, field="body"
        )
    last = (
        NoticeTemplate.objects.select_for_update(no_key=True)
        .filter(code=code, channel=channel, language=language)
        .order_by("-version")
        .first()
    )
    if last is None:
        raise Refused("unknown_template", _("There is no such message."), field="code")
    sample = dict.fromkeys((*VARIABLES.get(code, ()), "name", "site", "home_url", "pay_url"), "1")
    try:
        render(subject, body, sample)
    except (ValueError, TemplateSyntaxError, TemplateDoesNotExist) as fault:
        raise Refused(
            "words", _("The words cannot be used: %(fault)s") % {"fault": fault}, field="body"
        ) from fault
    template = NoticeTemplate.objects.create(
        code=code,
        channel=channel,
        language=language,
        version=last.version + 1,
        subject=subject,
        body=body,
    )
    events.record("template.revised", template, by=by, at=at, code=code, version=template.version)
    return template


# --- sending ------------------------------------------------------------------------------------------------


def send_due(*, at: datetime, limit: int = 200, batch: int = BATCH, share: Share = EVERYBODY) -> int:
    """Send what is due, oldest first, and return how many messages were dealt with.

    Rows that another worker holds are passed over. A failure is tried again later, see `BACKOFF`. `batch` is how
    many go in one transaction; with `customer_ids` only messages to these customers are sent, so that workers can
    share them out.
    """
    handled = 0
    while handled < limit:
        size = min(batch, limit - handled)
        count = _send_batch(at, size, share)
        handled += count
        if count < size:
            break
    return handled


@transaction.atomic
def _send_batch(at: datetime, size: int, share: Share) -> int:
    batch = DUE(at, *share.params, size)
    if not batch:
        return 0
    known = people(notice.customer_id for notice in batch)
    for notice in batch:
        notice.customer = known[notice.customer_id]
    holds = _screened(batch, at)
    for notice in batch:
        if hold := holds.get(notice.pk):
            _keep_back(notice, hold)
        else:
            _send(notice, at)
    bulk.update_many(batch, ["state", "send_after", "sent_at", "attempts", "error"])
    failed = [notice for notice in batch if notice.state == Notice.State.FAILED]
    events.record_many(
        [events.build("notice.failed", n, by=None, at=at, channel=n.channel, error=n.error) for n in failed]
    )
    return len(batch)


def _screened(batch: Sequence[Notice], at: datetime) -> dict[int, Hold]:
    """What settings.NOTICE_SCREENS hold back; each takes notices and the moment, the first word counts."""
    holds: dict[int, Hold] = {}
    for path in settings.NOTICE_SCREENS:
        for number, hold in import_string(path)(batch, at=at).items():
            holds.setdefault(number, hold)
    return holds


def _keep_back(notice: Notice, hold: Hold) -> None:
    if hold.until is None:
        notice.suppress(error=hold.reason)
    else:
        notice.send_after, notice.error = hold.until, hold.reason[:300]


def _send(notice: Notice, at: datetime) -> None:
    try:
        _hand_over(notice)
    except Exception as error:  # whatever a provider does to one message, the others go out
        log.warning("message %s was not sent: %s", notice.key, error)
        _failed(notice, at, error)
    else:
        notice.sent()
        notice.sent_at, notice.error = at, ""


def _hand_over(notice: Notice) -> None:
    if notice.channel == Channel.IN_APP:
        return
    customer = notice.customer
    addresses = {Channel.SMS: customer.phone, Channel.EMAIL: customer.email, Channel.LETTER: customer.name}
    to = addresses[Channel(notice.channel)]
    if not to:
        raise messaging.NotSent("the customer has no address for this channel", for_good=True)
    messaging.backend_for(notice.channel).send(
        messaging.Message(
            key=notice.key,
            channel=notice.channel,
            to=to,
            subject=notice.subject,
            text=notice.body,
            language=customer.language,
        )
    )


def _failed(notice: Notice, at: datetime, error: Exception) -> None:
    notice.attempts += 1
    for_good = isinstance(error, messaging.NotSent) and error.for_good
    if for_good or notice.attempts > len(BACKOFF):
        notice.fail(error=str(error))
    else:
        notice.error = str(error)[:300]
        notice.send_after = at + BACKOFF[notice.attempts - 1]


# --- afterwards ---------------------------------------------------------------------------------------------


@transaction.atomic
def report_delivery(*, key: str, delivered: bool, at: datetime, error: str = "") -> Notice:
    """The provider's report on a message we sent; a second report of the same changes nothing."""
    notice = Notice.objects.select_for_update(no_key=True).get(key=key)
    reported = Notice.State.DELIVERED if delivered else Notice.State.FAILED
    if notice.state == reported:
        return notice
    if delivered:
        notice.delivered()
    else:
        notice.fail(error=error)
        events.record("notice.failed", notice, by=None, at=at, channel=notice.channel, error=error)
    notice.save(update_fields=["state", "error"])
    return notice


def mark_read(*, customer_id: int, at: datetime) -> int:
    """The customer has seen the messages in the app."""
    unread = Notice.objects.filter(
        customer_id=customer_id, channel=Channel.IN_APP, state=Notice.State.SENT, read_at=None
    )
    return unread.update(read_at=at)
