"""Messages: written once, in the customer's language, sent at least once, held back by the screens."""

import json
import threading
from datetime import date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db import connections, transaction
from django.template import TemplateSyntaxError

from lending import messaging, notice_templates, pay_links
from lending.errors import Refused
from lending.messaging import Message, NotSent
from lending.messaging.console import ConsoleBackend
from lending.messaging.gateway import SmsGatewayBackend
from lending.messaging.mail import MailBackend
from lending.messaging.outbox import OutboxBackend
from lending.models import Customer, Event, Notice, NoticeTemplate
from lending.services import notices

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
BILL = {"amount": Decimal("1234.50"), "due_on": date(2026, 12, 2)}
serial = count(1)


class Refusing:
    """A provider that refuses: `error` is raised for each message."""

    error: Exception = NotSent("busy")

    def send(self, message: Message) -> None:
        raise self.error


class Remembering:
    """A provider that takes everything, and remembers what it was given."""

    taken: list[Message] = []
    crash_after = 0

    def send(self, message: Message) -> None:
        self.taken.append(message)
        if len(self.taken) == Remembering.crash_after:
            raise SystemExit("the worker is killed")


class Holding:
    """A screen: what it says about every message."""

    hold: notices.Hold | None = None

    def __call__(self, batch, *, at):
        return {notice.pk: self.hold for notice in batch if self.hold}


screen = Holding()


@pytest.fixture(autouse=True)
def house(settings, tmp_path):
    settings.OUTBOX_DIR = tmp_path
    settings.NOTICE_SCREENS = []
    settings.SITE_URL = "https://lender.example"
    Remembering.taken, Remembering.crash_after = [], 0
    screen.hold = None
    return settings


@pytest.fixture
def templates(db):
    notice_templates.install()


@pytest.fixture
def remembering(house):
    house.SMS_BACKEND = house.NOTICE_EMAIL_BACKEND = f"{__name__}.Remembering"
    messaging._backend.cache_clear()
    return Remembering


def customer(**facts) -> Customer:
    facts = {"kind": "PERSON", "name": "Wang Fang", "language": "en", "email": "fang@example.com"} | facts
    person = Customer(platform_ref=f"u{next(serial)}", registered_on=date(2025, 1, 1), **facts)
    person.set_phone(facts.pop("phone", "13800138000"))
    person.save()
    return person


def bill(person: Customer, key: str = "bill:1", **options) -> list[Notice]:
    return notices.queue(
        customer=person, template="bill_issued", context=BILL, key=key, **{"at": AT, **options}
    )


# --- writing --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_message_goes_to_the_app_and_wherever_there_is_an_address(templates):
    person = customer()
    rows = {row.channel: row for row in bill(person)}
    link = pay_links.token(person.pk, AT.date())
    assert set(rows) == {"IN_APP", "SMS", "EMAIL"}
    assert rows["SMS"].body == (
        f"OpenTab: Your bill of ¥1,234.50 is due on 2 Dec 2026. Pay here: https://lender.example/p/{link}/"
    )
    assert rows["EMAIL"].body.startswith("Dear Wang Fang,\n\nYour bill of ¥1,234.50")
    assert rows["IN_APP"].state == "SENT", "a message in the app is there at once"
    assert rows["SMS"].state == rows["EMAIL"].state == "PENDING"


@pytest.mark.django_db
def test_the_customers_language_and_its_form_of_dates(templates):
    person = customer(language="zh-hans")
    rows = {row.channel: row for row in bill(person)}
    link = pay_links.token(person.pk, AT.date())
    assert rows["SMS"].body == (
        f"【OpenTab】您本期账单 ¥1,234.50，还款日为 2026年12月2日。还款链接：https://lender.example/p/{link}/"
    )
    assert rows["EMAIL"].subject == "账单已出"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "subject"),
    [("zh-Hans", "账单已出"), ("fr", "Your bill is ready"), ("", "Your bill is ready")],
)
def test_an_unknown_language_falls_back_to_that_of_the_house(templates, language, subject):
    assert {row.subject for row in bill(customer(language=language))} == {subject}


@pytest.mark.django_db
def test_channels_without_an_address_are_left_out(templates):
    assert [row.channel for row in bill(customer(phone="", email=""))] == ["IN_APP"]
    assert bill(customer(phone=""), key="bill:2", channels=["SMS"]) == []


@pytest.mark.django_db
def test_the_same_key_writes_nothing_twice(templates):
    person = customer()
    first = bill(person)
    Notice.objects.filter(pk=first[0].pk).update(read_at=AT)
    assert [row.pk for row in bill(person)] == [row.pk for row in first]
    assert Notice.objects.count() == 3


@pytest.mark.django_db
def test_many_messages_cost_three_statements(templates, django_assert_num_queries):
    messages = [
        notices.Message(customer=customer(), template="bill_issued", context=BILL, key=f"bill:{number}")
        for number in range(300)
    ]
    with django_assert_num_queries(3):  # the templates, the numbers, the rows
        assert len(notices.queue_many(messages, at=AT)) == 900


@pytest.mark.django_db
def test_names_stay_as_they_are_and_subjects_stay_on_one_line(templates):
    NoticeTemplate.objects.create(
        code="bill_issued",
        channel="EMAIL",
        language="en",
        version=2,
        subject="For {{ name }}",
        body="{{ name }}",
    )
    rows = bill(customer(name="O'Neil & <Söhne>\nBcc: all@example.com"), channels=["EMAIL"])
    assert rows[0].subject == "For O'Neil & <Söhne> Bcc: all@example.com"
    assert rows[0].body.startswith("O'Neil & <Söhne>\n")


@pytest.mark.django_db
def test_an_unknown_message_and_a_hole_in_the_words_are_errors(templates):
    person = customer()
    with pytest.raises(LookupError, match="no_such"):
        notices.queue(customer=person, template="no_such", context={}, key="k", at=AT)
    with pytest.raises(ValueError, match="due_on"):
        notices.queue(customer=person, template="bill_issued", context={"amount": Decimal(1)}, key="k", at=AT)
    assert not Notice.objects.exists()


@pytest.mark.django_db
def test_long_keys_are_kept_apart_by_a_fingerprint(templates):
    person = customer()
    for end in ("a", "b", "a"):
        bill(person, key="k" * 200 + end)
    assert Notice.objects.count() == 6
    assert max(len(notice.key) for notice in Notice.objects.all()) <= 120


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(notice_templates.WORDINGS))
def test_every_message_can_be_written_in_both_languages_with_what_it_says_it_needs(templates, code):
    values = {"amount": Decimal(5), "limit": Decimal(5), "reasons": ["a", "b"], "pay_by": date(2026, 1, 5)}
    context = {name: values.get(name, "x") for name in notice_templates.VARIABLES[code]}
    for language in ("en", "zh-hans"):
        rows = notices.queue(
            customer=customer(language=language),
            template=code,
            context=context,
            key=f"{code}:{language}",
            at=AT,
            channels=["SMS", "EMAIL", "IN_APP"],
        )
        assert len(rows) == 3
        assert all(row.subject and "{{" not in row.body for row in rows)
        assert any("一" <= letter <= "鿿" for letter in rows[0].body) == (language == "zh-hans")


@pytest.mark.django_db
def test_no_message_threatens(templates):
    for template in NoticeTemplate.objects.all():
        text = f"{template.subject} {template.body}".lower()
        assert not [word for word in notice_templates.BANNED if word in text], template


@pytest.mark.django_db
def test_whoever_is_asked_to_pay_is_told_how_much_since_when_and_how(templates):
    chasing = ["bill_issued", "reminder_before_due", "overdue_1", "overdue_2", "demand", "legal_notice"]
    for template in NoticeTemplate.objects.filter(code__in=chasing):
        for needed in ("{{ amount }}", "{{ due_on }}", "{{ pay_url }}"):
            assert needed in template.body, template


@pytest.mark.django_db
def test_installing_twice_changes_nothing_and_revised_words_stay_in_force(templates):
    known = NoticeTemplate.objects.count()
    revised = notices.revise(
        code="bill_issued", channel="SMS", language="en", subject="S", body="{{ amount }}!", by=None, at=AT
    )
    notice_templates.install()
    assert NoticeTemplate.objects.count() == known + 1
    assert bill(customer(), channels=["SMS"])[0].template == revised
    assert Event.objects.filter(kind="template.revised").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Pay {{ amount", None),
        ("{% if amount %}", "words"),
        ("{{ salary }}", "words"),
        ("{% include 'base.html' %}", "words"),
        ("We will tell your family", "banned_words"),
        ("再不还款后果自负", "banned_words"),
    ],
)
def test_words_that_cannot_be_used_are_refused(templates, body, code):
    arguments = {
        "code": "bill_issued",
        "channel": "SMS",
        "language": "en",
        "subject": "",
        "by": None,
        "at": AT,
    }
    if code is None:
        assert notices.revise(body=body, **arguments).version == 2
        return
    with pytest.raises(Refused) as refusal:
        notices.revise(body=body, **arguments)
    assert (refusal.value.code, refusal.value.field) == (code, "body")
    assert not isinstance(refusal.value, TemplateSyntaxError)


# --- sending --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_due_is_sent_once_and_what_is_not_due_waits(templates, remembering):
    person = customer()
    bill(person)
    bill(person, key="bill:later", send_after=AT + timedelta(hours=1))
    assert notices.send_due(at=AT) == 2
    assert {message.key for message in remembering.taken} == {"bill:1:SMS", "bill:1:EMAIL"}
    assert {message.to for message in remembering.taken} == {"13800138000", "fang@example.com"}
    assert notices.send_due(at=AT) == 0
    assert notices.send_due(at=AT + timedelta(hours=1)) == 3, "the one in the app waited too"
    assert set(Notice.objects.values_list("state", flat=True)) == {"SENT"}


@pytest.mark.django_db
def test_a_run_stops_at_its_limit(templates, remembering):
    for number in range(15):
        bill(customer(), key=f"bill:{number}")
    assert notices.send_due(at=AT, limit=25) == 25
    assert Notice.objects.filter(state="PENDING").count() == 5


@pytest.mark.django_db
def test_a_busy_provider_is_tried_again_later_and_later_and_then_given_up(templates, house):
    house.SMS_BACKEND = f"{__name__}.Refusing"
    Refusing.error = ConnectionError("no route")
    bill(customer(), channels=["SMS"])
    moment, waits = AT, []
    while Notice.objects.get().state == "PENDING":
        assert notices.send_due(at=moment) == 1
        assert notices.send_due(at=moment) == 0
        notice = Notice.objects.get()
        waits.append((notice.send_after - moment) / timedelta(minutes=1))
        moment = max(moment, notice.send_after)
    assert waits == [1, 5, 30, 120, 480, 0]
    assert (notice.state, notice.error, notice.attempts) == ("FAILED", "no route", 6)
    assert Event.objects.get(kind="notice.failed").data["error"] == "no route"


@pytest.mark.django_db
def test_a_message_that_can_never_go_out_fails_at_once_and_the_others_go_out(templates, house, remembering):
    house.SMS_BACKEND = f"{__name__}.Refusing"
    Refusing.error = NotSent("no such number", for_good=True)
    bill(customer())
    notices.send_due(at=AT)
    assert dict(Notice.objects.values_list("channel", "state")) == {
        "IN_APP": "SENT",
        "SMS": "FAILED",
        "EMAIL": "SENT",
    }


@pytest.mark.django_db
def test_a_number_that_has_gone_since_fails_the_message(templates, remembering):
    person = customer()
    bill(person, channels=["SMS"])
    person.set_phone("")
    person.save()
    notices.send_due(at=AT)
    assert Notice.objects.get().state == "FAILED"
    assert remembering.taken == []


@pytest.mark.django_db
def test_a_screen_postpones_or_suppresses(templates, house, remembering):
    house.NOTICE_SCREENS = [f"{__name__}.screen"]
    bill(customer(), channels=["SMS"])
    screen.hold = notices.Hold("QUIET_HOURS", until=AT + timedelta(hours=2))
    notices.send_due(at=AT)
    notice = Notice.objects.get()
    assert (notice.state, notice.send_after, notice.error) == (
        "PENDING",
        AT + timedelta(hours=2),
        "QUIET_HOURS",
    )
    assert notices.send_due(at=AT) == 0
    screen.hold = notices.Hold("STOPPED")
    notices.send_due(at=AT + timedelta(hours=2))
    notice.refresh_from_db()
    assert (notice.state, notice.error, remembering.taken) == ("SUPPRESSED", "STOPPED", [])


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_send_and_commit_loses_nothing_and_repeats_under_the_same_key(remembering):
    for number in range(3):
        bill(customer(), key=f"bill:{number}", channels=["SMS"])
    Remembering.crash_after = 2
    with pytest.raises(SystemExit):
        notices.send_due(at=AT)
    assert Notice.objects.filter(state="PENDING").count() == 3
    assert notices.send_due(at=AT) == 3
    assert [m.key for m in remembering.taken] == [f"bill:{n}:SMS" for n in (0, 1, 0, 1, 2)]
    assert set(Notice.objects.values_list("state", flat=True)) == {"SENT"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_hold_the_same_message(remembering):
    bill(customer(), channels=["SMS"])
    bill(customer(), key="bill:2", channels=["SMS"])
    with transaction.atomic():
        list(Notice.objects.filter(key="bill:1:SMS").select_for_update())
        other = threading.Thread(target=_send_on_another_connection)
        other.start()
        other.join(timeout=10)
        assert not other.is_alive(), "the second worker waits for the first"
    assert [message.key for message in remembering.taken] == ["bill:2:SMS"]


def _send_on_another_connection() -> None:
    notices.send_due(at=AT)
    connections.close_all()


@pytest.mark.django_db
def test_delivery_reports_and_reading(templates, remembering):
    person = customer()
    bill(person)
    notices.send_due(at=AT)
    for _twice in range(2):
        assert notices.report_delivery(key="bill:1:SMS", delivered=True, at=AT).state == "DELIVERED"
    assert (
        notices.report_delivery(key="bill:1:EMAIL", delivered=False, error="bounced", at=AT).state == "FAILED"
    )
    assert notices.mark_read(customer_id=person.pk, at=AT) == 1
    assert notices.mark_read(customer_id=person.pk, at=AT) == 0


# --- ways out -------------------------------------------------------------------------------------------


def message(channel: str = "SMS", **facts) -> Message:
    return Message(
        **{
            "key": "case/1:SMS",
            "channel": channel,
            "to": "13800138000" if channel == "SMS" else "fang@example.com",
            "subject": "还款提醒",
            "text": "您好\n¥5.00",
            "language": "zh-hans",
            **facts,
        }
    )


def test_the_outbox_keeps_readable_files_and_lines(house, tmp_path):
    OutboxBackend().send(message())
    OutboxBackend().send(message("EMAIL"))
    assert "您好\n¥5.00" in (tmp_path / "case-1-SMS.txt").read_text()
    mail_text = (tmp_path / "case-1-SMS.eml").read_text()
    assert "To: fang@example.com" in mail_text
    assert "您好" in mail_text
    lines = [json.loads(line) for line in (tmp_path / "messages.jsonl").read_text().splitlines()]
    assert [(line["channel"], line["text"]) for line in lines] == [
        ("SMS", "您好\n¥5.00"),
        ("EMAIL", "您好\n¥5.00"),
    ]


def test_a_key_cannot_lead_out_of_the_outbox(house, tmp_path):
    OutboxBackend().send(message(key="../../etc/passwd"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["etc-passwd.txt", "messages.jsonl"]


def test_the_console_shows_the_message(capsys):
    ConsoleBackend().send(message())
    assert "SMS to 13800138000 [case/1:SMS] 还款提醒\n您好\n¥5.00" in capsys.readouterr().out


def test_mail_carries_the_key_as_its_id(settings):
    settings.DEFAULT_FROM_EMAIL = "OpenTab <post@lender.example>"
    MailBackend().send(message("EMAIL"))
    assert mail.outbox[0].extra_headers["Message-ID"] == "<case-1-SMS@lender.example>"
    assert (mail.outbox[0].to, mail.outbox[0].subject) == (["fang@example.com"], "还款提醒")


def test_a_mail_server_that_is_away_is_a_reason_to_try_again(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with pytest.raises(NotSent) as fault:
        MailBackend().send(message("EMAIL"))
    assert not fault.value.for_good


@pytest.fixture
def gateway(settings):
    """A gateway on this machine: `answers` are its status codes, `seen` what it was given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.seen.append((body, dict(self.headers)))
            self.send_response(server.answer)
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answer = [], 202
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.SMS_GATEWAY_URL = f"http://127.0.0.1:{server.server_port}/send"
    settings.SMS_GATEWAY_TOKEN = "secret"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_gateway_gets_number_text_key_and_token(gateway):
    SmsGatewayBackend().send(message())
    body, headers = gateway.seen[0]
    assert body == {"id": "case/1:SMS", "to": "13800138000", "text": "您好\n¥5.00"}
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Idempotency-Key"] == "case/1:SMS"


@pytest.mark.parametrize(
    ("status", "for_good"), [(400, True), (422, True), (401, False), (429, False), (503, False)]
)
def test_what_the_gateway_refuses(gateway, status, for_good):
    gateway.answer = status
    with pytest.raises(NotSent, match=str(status)) as fault:
        SmsGatewayBackend().send(message())
    assert fault.value.for_good is for_good


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1/", "ftp://127.0.0.1/", "file:///etc/passwd"])
def test_a_gateway_that_is_not_there_is_a_reason_to_try_again(settings, url):
    settings.SMS_GATEWAY_URL, settings.SMS_GATEWAY_TOKEN = url, ""
    with pytest.raises(NotSent) as fault:
        SmsGatewayBackend().send(message())
    assert not fault.value.for_good
