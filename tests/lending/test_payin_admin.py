"""Money that came in, at the accountant's desk: every button, what it refuses, and what the pages show."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from lending.models import ApprovalRequest, Loan, PaymentFile, Transaction, UnappliedMoney
from lending.services import bulk_payments
from tests.lending.admin_support import button, desk, page, words

from .conftest import MONDAY

D = Decimal
Make = Callable[..., Any]
UPLOAD = "/admin/lending/paymentfile/upload/"
TEXT = "date,amount,loan,payment\n2026-03-02,100,{loan},n1\n2026-03-02,0,{loan},n2\n2026-03-02,5,=1+1,n3\n"


@pytest.fixture
def upload(books: object) -> Make:
    def send(text: str, **values: Any) -> Any:
        file = SimpleUploadedFile("march.csv", text.encode())
        form = {"file": file, "unplaced": "REFUSE", "surplus": "CREDIT", "channel": "file"} | values
        return desk("accountant").post(UPLOAD, form, follow=True)

    return send


def test_a_file_is_uploaded_looked_at_and_confirmed(make_loan: Make, upload: Make) -> None:
    loan = make_loan()
    preview = upload(TEXT.format(loan=loan))
    file = PaymentFile.objects.get()
    text = words(preview)
    assert "Nothing is posted yet" in text
    assert "The amount must be above zero." in text
    assert "There is no loan =1+1." in text
    assert not Transaction.objects.filter(type="REPAYMENT").exists()
    answer = desk("accountant").post(button(file, "confirm"), follow=True)
    assert "The file is being posted." in words(answer)
    watched = desk("accountant").get(page(file))
    assert watched["Refresh"] == "3"
    assert "0 % done" in words(watched)
    bulk_payments.run(file.pk, at=loan.transactions.get().at, on=MONDAY)
    done = desk("accountant").get(page(file))
    assert "Refresh" not in done
    assert Transaction.objects.get(type="REPAYMENT").amount == D("100.00")


def test_confirming_twice_is_refused_in_words(make_loan: Make, upload: Make) -> None:
    upload(TEXT.format(loan=make_loan()))
    file = PaymentFile.objects.get()
    desk("accountant").post(button(file, "confirm"))
    assert "has moved on" in words(desk("accountant").post(button(file, "confirm"), follow=True))


def test_the_same_file_again_is_an_error_of_the_form(make_loan: Make, upload: Make) -> None:
    text = TEXT.format(loan=make_loan())
    upload(text)
    assert "This file was taken in before" in words(upload(text))
    upload(text, again="on")
    assert PaymentFile.objects.count() == 2


@pytest.mark.parametrize("text", ["", "no table at all", "date,amount,loan\n"])
def test_what_is_no_file_of_payments_is_said(upload: Make, text: str) -> None:
    assert upload(text or " ").status_code == 200
    assert not PaymentFile.objects.exists()


def test_columns_are_named_on_their_page(make_loan: Make, upload: Make) -> None:
    loan = make_loan()
    answer = upload(f"when;what;who\n2026-03-02;7;{loan}\n")
    file = PaymentFile.objects.get()
    assert "Not found: Amount; Loan / Customer." in words(answer)
    desk("accountant").post(button(file, "remap"), {"date": "0", "amount": "1", "loan": "2"})
    assert file.rows.get().state == "READY"


def test_the_report_is_the_file_again_with_the_reasons(make_loan: Make, upload: Make) -> None:
    loan = make_loan()
    upload(TEXT.format(loan=loan))
    path = reverse("admin:lending_paymentfile_report", args=[PaymentFile.objects.get().pk])
    lines = desk("accountant").get(path).content.decode("utf-8-sig").splitlines()
    assert lines[0] == "Line,State,Problem,date,amount,loan,payment"
    assert lines[1].startswith("3,Has a problem,The amount must be above zero.,2026-03-02,0,")
    assert lines[2].endswith("2026-03-02,5,'=1+1,n3")
    assert desk("collector").get(path).status_code == 403


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_template_can_be_filled_in_and_read(make_loan: Make, upload: Make, form: str, at: Any) -> None:
    answer = desk("accountant").get(reverse("admin:lending_paymentfile_template", args=[form]))
    file = bulk_payments.upload(
        name=f"t.{form}", content=answer.content, options=bulk_payments.Options(), by=None, at=at, on=MONDAY
    )
    assert bulk_payments.missing(file) == []
    assert file.rows.get().amount == D("406.00")
    assert desk("accountant").get("/admin/lending/paymentfile/template/exe/").status_code == 404


def test_a_collector_uploads_nothing(books: object) -> None:
    assert desk("collector").get(UPLOAD).status_code == 403


# --- unapplied money --------------------------------------------------------------------------------------------


@pytest.fixture
def held(books: object) -> UnappliedMoney:
    form = {"key": "k", "amount": "80", "received_on": "2026-03-02", "payer": "王五", "channel": "bank"}
    answer = desk("accountant").post("/admin/lending/unappliedmoney/receive/", form, follow=True)
    assert "The money is held." in words(answer)
    return UnappliedMoney.objects.get()


def test_held_money_is_applied_by_number_or_name(held: UnappliedMoney, make_loan: Make) -> None:
    loan = make_loan()
    apply = button(held, "apply")
    for target, said in (
        ("L99999999", "There is no loan L99999999."),
        ("nobody", "There is no customer nobody."),
    ):
        answer = desk("accountant").post(apply, {"key": "a", "target": target, "amount": "80"})
        assert said in words(answer)
    desk("accountant").post(apply, {"key": "a", "target": str(loan), "amount": "30"})
    desk("accountant").post(apply, {"key": "b", "target": loan.customer.name, "amount": "50"})
    held.refresh_from_db()
    assert (held.state, held.left) == ("APPLIED", 0)
    assert "Applied" in words(desk("accountant").get(page(held)))


@pytest.mark.parametrize("amount", ["0", "-1", "1.005", "", "81", "x"])
def test_a_wrong_amount_is_an_error_of_the_form(held: UnappliedMoney, make_loan: Make, amount: str) -> None:
    form = {"key": "a", "target": str(make_loan()), "amount": amount}
    assert desk("accountant").post(button(held, "apply"), form).status_code == 200
    held.refresh_from_db()
    assert held.left == D("80.00")


def test_paying_back_takes_two(held: UnappliedMoney) -> None:
    form = {"key": "p", "amount": "80", "reason": "asked for it"}
    desk("accountant").post(button(held, "pay_back"), form)
    request = ApprovalRequest.objects.get()
    own = desk("accountant").post(button(request, "approve"), {"remark": ""})
    assert "you asked for this yourself" in words(own)
    desk("accountant", "second").post(button(request, "approve"), {"remark": "ok"})
    held.refresh_from_db()
    assert held.state == "REFUNDED"


def test_a_payment_on_the_wrong_loan_is_held_after_two_agree(make_loan: Make, at: Any) -> None:
    from lending.services import loans

    loan = make_loan()
    paid = loans.repay(loan_id=loan.pk, amount=D("20"), key="p", by=None, at=at, on=MONDAY)
    desk("accountant").post(button(paid, "set_aside"), {"key": "s", "note": "of somebody else"})
    assert not UnappliedMoney.objects.exists()
    desk("accountant", "second").post(button(ApprovalRequest.objects.get(), "approve"), {"remark": ""})
    assert UnappliedMoney.objects.get().amount == D("20.00")


def test_the_lists_open_with_and_without_rows(held: UnappliedMoney, make_loan: Make, upload: Make) -> None:
    upload(TEXT.format(loan=make_loan()))
    client = desk("accountant")
    for name in ("unappliedmoney", "paymentfile", "paymentrow"):
        assert client.get(f"/admin/lending/{name}/?q=1").status_code == 200
        assert client.get(f"/admin/lending/{name}/").status_code == 200


# --- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def file(make_loan: Make, tmp_path: Path) -> Path:
    path = tmp_path / "march.csv"
    path.write_text(TEXT.format(loan=make_loan()))
    return path


def test_the_command_posts_and_reports(file: Path, tmp_path: Path, capsys: Any) -> None:
    report = tmp_path / "report.csv"
    call_command("import_payments", str(file), "--preview", "--report", str(report))
    assert not Transaction.objects.filter(type="REPAYMENT").exists()
    call_command("import_payments", str(file), "--report", str(report))
    out = capsys.readouterr().out
    assert "Posted: 1 (100.00)" in out
    assert "The amount must be above zero." in report.read_text()
    assert Loan.objects.get().transactions.filter(type="REPAYMENT").count() == 1
    with pytest.raises(CommandError, match="taken in before"):
        call_command("import_payments", str(file))


def test_the_command_goes_on_with_a_file_that_was_interrupted(file: Path, at: Any) -> None:
    taken = bulk_payments.upload(
        name=file.name, content=file.read_bytes(), options=bulk_payments.Options(), by=None, at=at, on=MONDAY
    )
    bulk_payments.confirm(file_id=taken.pk, by=None, at=at, told=False)
    call_command("import_payments", str(file))
    taken.refresh_from_db()
    assert (taken.state, Transaction.objects.filter(type="REPAYMENT").count()) == ("DONE", 1)


def test_the_command_says_what_it_cannot_do(books: object, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        call_command("import_payments", str(tmp_path / "absent.csv"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(CommandError, match="empty"):
        call_command("import_payments", str(tmp_path / "empty.csv"))
