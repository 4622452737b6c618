"""Foreign files become events by a mapping; what is wrong is said, line by line; a second run changes nothing."""

import csv
import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lending.models import Customer
from risk.importing.mapping import MappingFault, load
from risk.models import CustomerDay, PlatformEvent

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS = ROOT / "docs" / "mappings"
DATASETS = ROOT.parent / "shared" / "datasets"

RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,a,Lamp,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
1,b,"Cup, red",2,2010-12-01 08:25:00,0.333,17850,United Kingdom
C2,a,Lamp,-6,2010-12-02 09:00:00,2.55,17850,United Kingdom
3,a,Lamp,1,2010-12-02 09:00:00,2.55,,United Kingdom
4,a,Lamp,one,2010-12-02 09:00:00,2.55,12000,France
5,a,Lamp,1,yesterday,2.55,12000,France
6,a,Lamp,-1,2010-12-02 09:00:00,2.55,12000,France
1,c,Bowl,1,2010-12-01 08:26:00,1,12000,France
too,short
"""
FASHION = """order_item_id,order_date,delivery_date,item_id,item_size,item_price,user_id,user_state,user_reg_date,return
1,2012-04-01,2012-04-03,394,40,145.0,1193,Hesse,2011-09-21,1
2,2012-04-01,,394,40,20.0,1193,Hesse,2011-09-21,0
3,2012-04-01,1990-12-31,394,40,30.0,1193,Hesse,2011-09-21,1
"""


@pytest.fixture
def run(books, tmp_path, capsys):
    def do(text: str | bytes, mapping: str | dict = "online-retail", name: str = "file.csv") -> list[dict]:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        path = MAPPINGS / f"{mapping}.json"
        if isinstance(mapping, dict):
            path = tmp_path / "mapping.json"
            path.write_text(json.dumps(mapping))
        report = tmp_path / "refused.csv"
        call_command("import_events", str(file), mapping=path, report=report)
        do.told = dict(line.split(": ") for line in capsys.readouterr().out.splitlines() if ": " in line)
        return list(csv.DictReader(report.open()))

    return do


def test_invoices_become_orders_and_cancellations(run):
    refused = run(RETAIL)
    events = {e.external_id: e for e in PlatformEvent.objects.all()}
    assert {n: (e.kind, e.amount) for n, e in events.items()} == {
        "1": ("ORDER", Decimal("15.97")),  # 6 * 2.55 + 2 * 0.333, rounded once
        "C2": ("CANCEL", Decimal("15.30")),
    }
    assert events["1"].at == datetime(2010, 12, 1, 8, 25, tzinfo=UTC)  # London, the earlier of both lines
    customer = Customer.objects.get(platform_ref="uk-17850")
    assert (customer.platform_ref, customer.name, customer.kind) == ("uk-17850", "Customer 17850", "COMPANY")
    assert [(r["line"], r["field"]) for r in refused] == [
        ("5", "customer"),
        ("6", "amount"),
        ("7", "at"),
        ("9", "external_id"),
        ("10", "line"),
        ("8", "amount"),  # only the whole event shows that it is below zero
    ]
    assert "CustomerID" in refused[0]["reason"]
    assert refused[0]["raw"].startswith("3,a,Lamp")
    assert run.told["events taken in"] == "2"
    assert run.told["lines refused"] == "6"


def test_a_second_run_changes_nothing(run):
    run(RETAIL)
    days = list(CustomerDay.objects.values())
    run(RETAIL)
    assert run.told["events taken in"] == "0"
    assert run.told["events known already"] == "2"
    assert list(CustomerDay.objects.values()) == days


def test_a_line_may_tell_of_several_events(run):
    assert run(FASHION, "fashion-returns") == []
    found = PlatformEvent.objects.order_by("external_id").values_list("external_id", "kind", "amount")
    assert list(found) == [
        ("1-delivery", "DELIVERY", None),
        ("1-order", "ORDER", Decimal("145.00")),
        ("1-return", "RETURN", Decimal("145.00")),
        ("2-order", "ORDER", Decimal("20.00")),  # no delivery date: never delivered, never returned
        ("3-order", "ORDER", Decimal("30.00")),  # the sentinel is no delivery date either
        ("3-return", "RETURN", Decimal("30.00")),
    ]
    days = dict(PlatformEvent.objects.values_list("external_id", "at__date"))
    assert str(days["1-return"]) == "2012-04-17"
    assert str(days["3-return"]) == "2012-04-18"
    customer = Customer.objects.get()
    assert (str(customer.registered_on), customer.region) == ("2011-09-21", "Hesse")


LINES = {
    "source": "feed",
    "format": "jsonl",
    "customer": "{who}",
    "events": [
        {
            "kind": "ORDER",
            "when": {
                "all": [{"column": "what", "in": ["buy", "order"]}, {"column": "gone", "present": False}]
            },
            "external_id": "{id}",
            "at": {"column": "when", "format": "%Y-%m-%dT%H:%M:%S"},
            "amount": {"column": "paid"},
            "data": {"shop": "{shop}"},
        }
    ],
}


def test_json_lines_and_customers_that_must_be_known(run, make_customer):
    make_customer(platform_ref="alice")
    line = {"who": "alice", "id": 1, "what": "buy", "when": "2026-01-05T10:00:00", "paid": 12.3, "shop": "A"}
    texts = [
        json.dumps(line),
        "",
        json.dumps(line | {"id": 2, "who": "bob"}),
        json.dumps(line | {"id": 3, "what": "look"}),
        json.dumps(line | {"id": 4, "gone": "yes"}),
        json.dumps(line | {"id": 5, "who": "a\x00"}),
        json.dumps(line | {"id": 6, "shop": None}),
        "[1, 2]",
        "{",
    ]
    refused = run("\n".join(texts), LINES, "file.jsonl")
    event = PlatformEvent.objects.get()
    assert (event.external_id, event.amount, event.data) == ("1", Decimal("12.30"), {"shop": "A"})
    assert event.at.isoformat() == "2026-01-05T02:00:00+00:00"  # the office's zone unless said otherwise
    assert [(r["line"], r["field"]) for r in refused] == [
        ("4", "events"),
        ("5", "events"),
        ("6", "line"),
        ("7", "data"),
        ("8", "line"),
        ("9", "line"),
        ("3", "customer_ref"),
    ]


def test_gzipped_and_plain_files_are_told_apart_by_content(run):
    run(gzip.compress(RETAIL.encode(), mtime=0), name="file.csv")
    assert PlatformEvent.objects.count() == 2


def test_what_a_customer_cannot_be_called_is_refused(run):
    mapping = json.loads((MAPPINGS / "online-retail.json").read_text())
    mapping["create_customers"] = {"region": "{Country}"}
    refused = run(RETAIL.replace("United Kingdom", "U" * 65), mapping)
    assert {"region"} <= {r["field"] for r in refused}
    assert not Customer.objects.filter(region__startswith="U").exists()


FAULTY_FILES = [
    ("InvoiceNo,Quantity\n1,2\n", "no column Country, CustomerID"),
    (b"\x1f\x8b no gzip at all", "cannot be read"),
    (gzip.compress(RETAIL.encode(), mtime=0)[:80], "cannot be read"),
    (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\xff".encode(
            "latin1"
        ),
        "utf-8",
    ),
    ("", "no column"),
]


@pytest.mark.parametrize(("content", "told"), FAULTY_FILES)
def test_a_file_that_cannot_be_read_says_so(run, content, told):
    with pytest.raises(CommandError, match=told):
        run(content)


def test_a_file_or_mapping_that_is_not_there_says_so(run, books, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command(
            "import_events", "/nowhere.csv", mapping=MAPPINGS / "online-retail.json", report=tmp_path / "r"
        )
    with pytest.raises(CommandError, match="mapping cannot be read"):
        call_command("import_events", "/nowhere.csv", mapping=tmp_path / "none.json")


def test_closed_books_say_so(db, tmp_path):
    (tmp_path / "file.csv").write_text(RETAIL)
    with pytest.raises(CommandError, match="open_books"):
        call_command(
            "import_events",
            str(tmp_path / "file.csv"),
            mapping=MAPPINGS / "online-retail.json",
            report=tmp_path / "r.csv",
        )


EVENT = {"kind": "DISPUTE", "external_id": "{id}", "at": {"column": "when"}}
GOOD = {"source": "s", "customer": "{who}", "events": [EVENT]}
FAULTY = [
    ("{", "JSON"),
    ([], "mapping: must be an object"),
    (GOOD | {"colour": "red"}, "there is no colour"),
    (GOOD | {"source": ""}, "source: must be a text"),
    (GOOD | {"customer": "{}"}, "customer: name a column"),
    (GOOD | {"customer": "{who"}, "customer: the braces"),
    (GOOD | {"customer": "{who.__class__}"}, "customer: name a column"),
    (GOOD | {"format": "xml"}, "format: use one of csv, jsonl"),
    (GOOD | {"timezone": "Europe/Nowhere"}, "time zone"),
    (GOOD | {"timezone": "../etc/passwd"}, "time zone"),
    (GOOD | {"events": []}, "at least one event"),
    (GOOD | {"events": [EVENT | {"kind": "GIFT"}]}, r"events\[0\].kind: use one of"),
    (GOOD | {"events": [EVENT | {"kind": "ORDER"}]}, r"events\[0\].amount: an event of this kind"),
    (GOOD | {"events": [EVENT | {"at": None}]}, r"events\[0\].at: must be an object"),
    (GOOD | {"events": [EVENT | {"at": {"column": "d", "plus_days": "2"}}]}, "whole number"),
    (GOOD | {"events": [EVENT | {"when": {"column": "c"}}]}, "use one of starts_with"),
    (
        GOOD | {"events": [EVENT | {"when": {"column": "c", "equals": "a", "in": []}}]},
        "use one of starts_with",
    ),
    (GOOD | {"events": [EVENT | {"when": {"not": {"column": "c", "present": 1}}}]}, "true or false"),
    (GOOD | {"create_customers": {"kind": "DOG"}}, "create_customers.kind"),
    (GOOD | {"missing": "NA"}, "missing: must be a list"),
]


@pytest.mark.parametrize(("raw", "told"), FAULTY)
def test_a_faulty_mapping_is_refused_with_its_place(raw, told):
    with pytest.raises(MappingFault, match=told):
        load(raw if isinstance(raw, str) else json.dumps(raw), "Asia/Shanghai")


def test_the_mappings_that_ship_are_right():
    assert len(list(MAPPINGS.glob("*.json"))) >= 2
    for path in MAPPINGS.glob("*.json"):
        assert load(path.read_text(), "Asia/Shanghai").rules


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mapping", "lines", "events"),
    [
        ("online_retail_to_2011_09_09.csv.gz", "online-retail", 20_000, 700),
        ("fashion_orders_returns_2012.csv.gz", "fashion-returns", 2_000, 4_000),
    ],
)
def test_real_streams_go_in(run, name, mapping, lines, events):
    """The beginning of the real files; nothing but lines without a customer may be refused."""
    if not (DATASETS / name).exists():
        pytest.skip(f"{name} is not here")
    with gzip.open(DATASETS / name, "rt", encoding="utf-8") as file:
        head = "".join(line for line, _n in zip(file, range(lines), strict=False))
    refused = run(head, mapping)
    assert {r["field"] for r in refused} <= {"customer"}
    assert PlatformEvent.objects.count() >= events
