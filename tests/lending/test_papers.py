"""Papers and lists leave the house only through the door, and somebody is seen to carry them."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from lending.models import Document, Event
from lending.services import applications
from tests.lending import web_support as web
from tests.lending.admin_support import desk, words


@pytest.fixture
def paper(
    books: date,
    at: datetime,
    make_customer: Callable[..., Any],
    product: Callable[[str], Any],
    settings: Any,
    tmp_path: Path,
) -> Document:
    settings.MEDIA_ROOT = tmp_path
    application = applications.start(
        customer_id=make_customer().pk,
        product_id=product("pay-later").pk,
        amount=Decimal(5000),
        by=None,
        at=at,
    )
    return applications.attach_document(
        application_id=application.pk,
        kind="INCOME",
        file=ContentFile(b"%PDF-1.7 payslip", "payslip.pdf"),
        by=None,
        at=at,
    )


def address(paper: Document) -> str:
    return reverse("admin:lending_application_document", args=[paper.pk])


def test_taking_a_paper_out_is_an_event_with_who_and_which(paper: Document) -> None:
    answer = desk("credit_officer").get(address(paper))
    assert b"".join(answer.streaming_content) == b"%PDF-1.7 payslip"
    assert "attachment" in answer["Content-Disposition"]
    told = Event.objects.get(kind="document.revealed")
    assert (told.actor.username, told.customer_id) == ("the-credit_officer", paper.application.customer_id)
    assert told.data == {"document": paper.pk, "kind": "INCOME", "sha256": paper.sha256}


@pytest.mark.parametrize("role", ["collector", "legal_officer", "accountant"])
def test_who_may_not_see_papers_gets_none_and_none_is_written(paper: Document, role: str) -> None:
    assert desk(role).get(address(paper)).status_code == 403
    assert not Event.objects.filter(kind="document.revealed").exists()


@pytest.mark.parametrize("base", ["/media/", "/", "/documents/", "/static/"])
def test_no_address_leads_to_the_file_itself(paper: Document, base: str) -> None:
    for client in (Client(), desk("senior_approver")):
        assert client.get(base + paper.file.name).status_code in (301, 302, 404)


def test_a_file_that_was_changed_is_not_handed_out(paper: Document) -> None:
    Path(paper.file.path).write_bytes(b"%PDF-1.7 a better payslip")
    answer = desk("credit_officer").get(address(paper), follow=True)
    assert "not the one that was handed in" in words(answer)
    assert not Event.objects.filter(kind="document.revealed").exists()


def test_a_file_that_is_gone_is_not_found(paper: Document) -> None:
    Path(paper.file.path).unlink()
    assert desk("credit_officer").get(address(paper)).status_code == 404


def test_a_customer_gets_only_ones_own_paper_and_only_as_it_was(
    books: date, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    client, owner = web.customer()
    application = web.submitted(owner)
    mine = applications.attach_document(
        application_id=application.pk,
        kind="INCOME",
        file=ContentFile(b"%PDF-1.7 mine", "mine.pdf"),
        by=None,
        at=application.created_at,
    )
    assert b"".join(client.get(f"/documents/{mine.pk}/").streaming_content) == b"%PDF-1.7 mine"
    other, _owner = web.customer("other@example.com")
    assert other.get(f"/documents/{mine.pk}/").status_code == 404
    Path(mine.file.path).write_bytes(b"%PDF-1.7 theirs")
    answer = client.get(f"/documents/{mine.pk}/")
    assert answer.status_code == 409
    assert "cannot be handed out" in words(answer)


def test_an_export_is_an_event_with_who_what_filter_and_rows(
    books: date, make_customer: Callable[..., Any]
) -> None:
    for name in ("李雷", "韩梅梅", "李四"):
        make_customer(name=name)
    client = desk("credit_officer")
    url = reverse("admin:lending_customer_export") + "?q=李"
    answer = client.post(url, {"format": "1", "resource": "", "customerresource_name": "on"})
    rows = json.loads(answer.content)
    assert len(rows) == 2
    told = Event.objects.get(kind="export.made")
    assert told.actor.username == "the-credit_officer"
    assert told.data == {"model": "lending.customer", "filters": {"q": ["李"]}, "rows": 2, "form": "json"}


def test_an_export_that_is_refused_is_none(books: date) -> None:
    assert desk("nobody").post(reverse("admin:lending_customer_export"), {"format": "1"}).status_code in (
        302,
        403,
    )
    assert not Event.objects.filter(kind="export.made").exists()
