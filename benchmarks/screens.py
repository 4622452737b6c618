"""How fast the screens answer over a large book: `python benchmarks/screens.py [--loans 1000000] [--quick] [--keep]`.

Makes a database of its own in the private PostgreSQL and drops it (with --keep it stays, and the next run uses it): for
each loan 12 instalments, 3 purchases and 20 events, a customer for two loans, a message for each loan. --quick takes a
fiftieth. Then Django's test client asks for every list of the staff as it opens, with a search, a filter and its
deepest page; for the first page, the worklist, pages of loans and customers, and the customer's own pages. Each is
asked several times, the first of them not counted. Progress goes to standard error, one JSON line to standard output.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import book
from django.conf import settings
from django.contrib import admin
from django.test import Client, override_settings
from django.urls import reverse
from house import connection, connections, metric, own_database, quantile, report, say, setup_databases, timed

from lending.models import CreditLine, Customer, Event, Loan, Notice, Purchase, User
from lending.services import close

GOAL = 300.0  # milliseconds at p95, of each screen
TIMES = 20
# Lists of fewer rows are only opened.
MANY = 10_000

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
GIVEN = "伟芳娜敏静秀丽强磊军洋勇艳杰涛明超霞平刚桂英华建国文斌玉兰梅子轩雨涵浩然欣怡"
# Two names in three are Chinese.
NAMES = """
UPDATE lending_customer SET name = CASE WHEN id %% 3 = 0
    THEN (ARRAY['Miller','Smith','Meyer','Garcia','Novak','Rossi'])[1 + id / 3 %% 6] || ' ' || 'Trading ' || id
    ELSE substr(%(surnames)s, 1 + (id * 7 %% 30)::int, 1) || substr(%(given)s, 1 + (id * 11 %% 40)::int, 1)
         || substr(%(given)s, 1 + (id / 40 %% 40)::int, 1) END,
    phone_digest = md5(id::text)
"""
LINES = """
INSERT INTO lending_creditline (customer_id, product_id, state, base_limit, used, held, statement_day, opened_on,
                                reviewed_on)
SELECT lending_customer.id, (SELECT MIN(id) FROM lending_product WHERE kind = 'LINE' OR code = 'bench'),
       CASE WHEN id %% 50 = 0 THEN 'SUSPENDED' ELSE 'ACTIVE' END, 20000, 6000, 0, 1 + id %% 20, %(day)s, %(day)s
FROM lending_customer ORDER BY lending_customer.id
"""
PURCHASES = """
INSERT INTO lending_purchase (line_id, customer_id, order_ref, description, state, amount, captured, refunded, tenor,
                              annual_cost, loan_id, authorised_at, expires_on)
SELECT 1 + n %% c.count, 1 + n %% c.count, 'O' || lpad(n::text, 9, '0'), 'order',
       CASE WHEN n <= %(loans)s THEN 'CAPTURED' WHEN n %% 100 = 0 THEN 'AUTHORISED' ELSE 'VOIDED' END,
       500, CASE WHEN n <= %(loans)s THEN 500 ELSE 0 END, 0, 6, 0.12, CASE WHEN n <= %(loans)s THEN n END,
       %(at)s::timestamptz - make_interval(mins => ((3 * %(loans)s - n) / 4)::int), %(day)s::date + 7
FROM generate_series(1, 3 * %(loans)s) n, (SELECT COUNT(*) AS count FROM lending_customer) c
"""
EVENTS = """
INSERT INTO lending_event (kind, subject_type, subject_id, customer_id, at, data)
SELECT (ARRAY['loan.booked', 'payment.posted', 'purchase.captured', 'customer.updated'])[1 + n %% 4], 'lending.loan',
       1 + n %% %(loans)s, 1 + n %% c.count, %(at)s::timestamptz - make_interval(secs => 20 * %(loans)s - n),
       '{"amount": "100.00"}'
FROM generate_series(1, 20 * %(loans)s) n, (SELECT COUNT(*) AS count FROM lending_customer) c
"""
NOTICES = """
INSERT INTO lending_notice (customer_id, state, channel, template_id, purpose, subject, body, key, send_after,
                            created_at, sent_at, attempts, error)
SELECT 1 + n %% c.count, CASE WHEN n %% 5000 = 0 THEN 'FAILED' ELSE 'SENT' END, 'SMS', t.id, 'SERVICE', '',
       'Your bill is ready.', 'bench:' || n, %(at)s, %(at)s, %(at)s, 0, ''
FROM generate_series(1, %(loans)s) n, (SELECT COUNT(*) AS count FROM lending_customer) c,
     (SELECT MIN(id) AS id FROM lending_noticetemplate) t
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="20,000 loans, for a look")
    parser.add_argument(
        "--keep", action="store_true", help="leave the database, or use the one that was left"
    )
    options = parser.parse_args()
    loans = 20_000 if options.quick else options.loans
    if options.keep:
        connection.settings_dict["TEST"]["NAME"] = f"bench_screens_{loans}"
        setup_databases(verbosity=0, interactive=False, keepdb=True, serialized_aliases=[])
        measure(loans)
        connections.close_all()
    else:
        with own_database("screens"):
            measure(loans)


def measure(loans: int) -> None:
    if not Loan.objects.exists():
        say(f"{loans:,} loans built in {timed(lambda: build(loans)):.0f} s")
    with override_settings(ALLOWED_HOSTS=["*"], MIDDLEWARE=_middleware(), STORAGES=_plain_files()):
        found = {}
        for name, client, url in _screens():
            found[name] = list(_ask(client, url))
            say(f"  {max(found[name]):7.0f} ms  {name}")
    slowest = sorted(found.items(), key=lambda item: -quantile(item[1], 0.95))
    say("the slowest:")
    for name, spent in slowest[:15]:
        say(f"  {quantile(spent, 0.95):7.0f} ms  {name}")
    goal = GOAL if loans >= 1_000_000 else None
    metrics = [metric(f"{name}, p95", quantile(spent, 0.95), "ms", goal, "lower") for name, spent in slowest]
    over = sum(quantile(spent, 0.95) >= GOAL for spent in found.values())
    metrics.insert(0, metric("screens of 300 ms and more", over, f"of {len(found)}", 0.0, "lower"))
    report("screens", metrics, {"loans": loans})


def _middleware() -> list[str]:
    """All but what guards against too many tries."""
    return [path for path in settings.MIDDLEWARE if "axes" not in path.lower()]


def _plain_files() -> dict[str, Any]:
    """Pages name static files that nobody has collected for a benchmark."""
    return settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


def build(loans: int) -> None:
    book.build(loans, lambda part: say(f"  {part}"))
    values = {"loans": loans, "day": book.TODAY, "at": book.moment(book.TODAY)}
    values |= {"surnames": SURNAMES, "given": GIVEN}
    with book._bare(Customer, CreditLine, Purchase, Event, Notice), connection.cursor() as cursor:
        for name, sql in (("names", NAMES), ("lines", LINES), ("purchases", PURCHASES), ("events", EVENTS)):
            cursor.execute(sql, values)
            say(f"  {name}")
        cursor.execute(NOTICES, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    say("  closing a day, which opens the cases and writes the figures down")
    close.close_day(at=book.moment(book.TODAY), on=book.TODAY, parts=2, workers=2)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _clients() -> tuple[Client, Client, Customer]:
    staff, _made = User.objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True, "email": "bench@example.com"}
    )
    customer = Customer.objects.get(pk=Customer.objects.count() // 2)
    if customer.user is None:
        customer.user = User.objects.create(username="bench-customer", email="customer@example.com")
        customer.save()
    out = []
    for user in (staff, customer.user):
        client = Client()
        client.force_login(user)
        out.append(client)
    return out[0], out[1], customer


def _screens() -> Iterator[tuple[str, Client, str]]:
    staff, owner, customer = _clients()
    loan = customer.loans.order_by("pk")[0]
    for model, page in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        url = reverse(f"admin:{name}_changelist")
        yield f"list of {name}", staff, url
        if model._base_manager.count() < MANY:
            continue
        if page.search_fields:
            yield f"list of {name}, search by name", staff, f"{url}?q=王伟"
            yield f"list of {name}, search by word", staff, f"{url}?q=miller"
            yield f"list of {name}, search by number", staff, f"{url}?q={loan.pk}"
        if any(field.name == "state" for field in model._meta.fields):
            yield f"list of {name}, filter", staff, f"{url}?state__exact=ACTIVE"
        yield f"list of {name}, deepest page", staff, f"{url}?p={MANY // page.list_per_page}"
    yield "first page of the staff", staff, reverse("admin:index")
    yield "search of everything", staff, reverse("admin:search") + "?s=王伟"
    yield "page of a loan", staff, reverse("admin:lending_loan_change", args=[loan.pk])
    yield "page of a customer", staff, reverse("admin:lending_customer_change", args=[customer.pk])
    for name in ("home", "loans", "bills", "purchases", "payments", "messages"):
        yield f"customer's {name}", owner, reverse(f"lending:{name}")


def _ask(client: Client, url: str) -> Iterator[float]:
    """Milliseconds of each answer after the first."""
    for number in range(TIMES + 1):
        start = time.perf_counter()
        answer = client.get(url, secure=True)
        spent = (time.perf_counter() - start) * 1000
        assert answer.status_code == 200, (url, answer.status_code, answer.get("Location"))
        if number:
            yield spent


if __name__ == "__main__":
    main()
