"""A customer who cannot pay as agreed asks for help, on the phone and without a script."""

import pytest

from lending import clock
from lending.models import Loan, ReliefRequest
from lending.services import restructure
from tests.lending import web_support as web

pytestmark = pytest.mark.usefixtures("books")


def _loan() -> tuple:
    client, line = web.with_line()
    web.buy(client)
    return client, Loan.objects.get(line=line)


def test_asking_waiting_and_taking_it_back() -> None:
    client, loan = _loan()
    path = f"/loans/{loan.pk}/relief/"
    assert path in client.get(f"/loans/{loan.pk}/").content.decode()
    empty = client.post(path, {})
    assert web.errors(empty, "reason") and web.errors(empty, "wish")
    assert web.errors(client.post(path, {"reason": "X", "wish": "PAUSE"}), "reason")
    assert web.errors(client.post(path, {"reason": "INCOME", "wish": "PAUSE", "words": "x" * 1001}), "words")
    answer = client.post(
        path, {"reason": "INCOME", "wish": "PAUSE", "words": "No work since May"}, follow=True
    )
    assert "Your request for help is with us" in answer.content.decode()
    again = client.post(path, {"reason": "INCOME", "wish": "PAUSE"})
    assert "You have asked already" in again.content.decode()
    client.post(f"{path}withdraw/")
    assert ReliefRequest.objects.get().state == "WITHDRAWN"
    assert client.post(f"{path}withdraw/").status_code == 404


def test_the_answer_is_shown_in_the_customers_language() -> None:
    client, loan = _loan()
    asked = restructure.ask_relief(
        loan_id=loan.pk, reason="INCOME", wish="SMALLER", words="", by=None, at=clock.now()
    )
    restructure.decline_relief(request_id=asked.pk, answer="请先提供收入证明。", by=None, at=clock.now())
    client.post("/language/", {"language": "zh-hans", "next": "/"})
    page = client.get(f"/loans/{loan.pk}/relief/").content.decode()
    assert "请先提供收入证明。" in page and "还款困难" in page


def test_a_strangers_loan_and_a_settled_one_are_not_found() -> None:
    _client, loan = _loan()
    other, _owner = web.customer("other@example.com")
    assert other.get(f"/loans/{loan.pk}/relief/").status_code == 404
    assert other.post(f"/loans/{loan.pk}/relief/", {"reason": "INCOME", "wish": "PAUSE"}).status_code == 404
    assert other.post(f"/loans/{loan.pk}/relief/withdraw/").status_code == 404
    assert ReliefRequest.objects.count() == 0
