"""The buttons of a loan. Each shows what it would do, both schedules side by side, before it does it.

A preview runs the same service as the button in the end, or as the second person does, and takes it back.
"""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from lending.admin import loan_forms as asks
from lending.admin.base import Acting, service_action
from lending.models import Loan, UnappliedMoney
from lending.services import adjust, desk, loans, preview, restructure, unapplied

POST = "lending.post_transaction"
RELIEF = "lending.change_loan"
RESTRUCTURE = "lending.restructure_loan"
REFUND = "lending.refund_loan"
SECOND = _("A second person must allow it.")
ASKED = _("A second person is asked to allow it.")

Does = Callable[[Loan, dict[str, Any], Acting], Any]


def owing(loan: Loan) -> bool:
    return loan.state in Loan.OWING


def written_off(loan: Loan) -> bool:
    return loan.state == Loan.State.WRITTEN_OFF


def runs_by_schedule(loan: Loan) -> bool:
    return loan.state == Loan.State.ACTIVE


def has_credit(loan: Loan) -> bool:
    return bool(loan.credit)


def has_tranches_left(loan: Loan) -> bool:
    return adjust.undisbursed(loan) > 0


def tried(does: Does) -> Callable[[Loan, dict[str, Any], Acting], preview.Preview]:
    """What `does` would do to the loan, for the page that asks to confirm."""
    return lambda loan, data, acting: preview.try_out(loan.pk, lambda: does(loan, dict(data), acting))


def _one(service: Callable[..., Any]) -> Does:
    """A service that takes the loan and the form's values as they are."""
    return lambda loan, data, acting: service(loan_id=loan.pk, **data, **acting.day)


def _relief(kind: str) -> Does:
    return lambda loan, data, acting: restructure.restructure(
        loan_id=loan.pk, kind=kind, details=data["details"], key=data["key"], note=data["note"], **acting.day
    )


def _asked_relief(kind: str) -> Does:
    return lambda loan, data, acting: desk.ask_restructuring(
        loan_id=loan.pk,
        kind=kind,
        details=data["details"],
        key=data["key"],
        reason=data["note"],
        **acting.day,
    )


def _money(label: Any, service: Callable[..., Any], done: Any, **options: Any) -> Any:
    """A button that posts at once."""
    does = _one(service)
    options.setdefault("permission", POST)
    options.setdefault("available", owing)

    def act(self: Any, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        does(loan, data, acting)
        return done

    return lambda name: service_action(label, preview=tried(does), **options)(_named(act, name))


def _relieves(label: Any, kind: str, **options: Any) -> Any:
    """A button that asks a second person for a restructuring."""
    ask = _asked_relief(kind)

    def act(self: Any, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        ask(loan, data, acting)
        return ASKED

    options.setdefault("available", owing)
    return lambda name: service_action(
        label, permission=RESTRUCTURE, preview=tried(_relief(kind)), confirm=SECOND, **options
    )(_named(act, name))


def _named(act: Callable[..., Any], name: str) -> Callable[..., Any]:
    act.__name__ = name
    return act


class LoanActions:
    """Mixed into the admin of loans."""

    settle = _money(
        _("Settle"), loans.settle, _("The loan is settled."), form=asks.SettleForm, icon="task_alt"
    )("settle")
    prepay = _money(
        _("Prepay a part"),
        adjust.prepay,
        _("The prepayment is booked."),
        form=asks.PrepayForm,
        icon="fast_forward",
    )("prepay")
    disburse = _money(
        _("Pay out a tranche"),
        adjust.disburse,
        _("The tranche is paid out."),
        permission="lending.disburse_loan",
        form=asks.DisburseForm,
        available=has_tranches_left,
        icon="outbound",
    )("disburse")
    charge = _money(
        _("Charge"), loans.charge, _("The charge is booked."), form=asks.ChargeForm, icon="add_card"
    )("charge")
    refund = _money(
        _("Refund"),
        adjust.refund,
        _("The refund is booked."),
        permission=REFUND,
        form=asks.RefundForm,
        icon="assignment_return",
    )("refund")
    refund_credit = _money(
        _("Pay out the credit"),
        adjust.refund_credit,
        _("The credit balance is paid out."),
        permission=REFUND,
        form=asks.CreditForm,
        available=has_credit,
        icon="price_check",
    )("refund_credit")
    recover = _money(
        _("Recovery"),
        loans.recover,
        _("The recovery is booked."),
        form=asks.ReceivedForm,
        available=written_off,
        icon="currency_exchange",
    )("recover")

    reschedule = _relieves(_("New schedule"), "RESCHEDULE", form=asks.RescheduleForm, icon="edit_calendar")(
        "reschedule"
    )
    hardship = _relieves(_("Hardship plan"), "HARDSHIP", form=asks.HardshipForm, icon="volunteer_activism")(
        "hardship"
    )
    holiday = _relieves(
        _("Payment holiday"),
        "HOLIDAY",
        form=asks.HolidayForm,
        available=runs_by_schedule,
        icon="beach_access",
    )("holiday")
    reamortise = _relieves(
        _("Spread arrears over the rest"),
        "REAMORTISE",
        form=asks.ArrearsForm,
        available=runs_by_schedule,
        icon="stacked_line_chart",
    )("reamortise")
    reage = _relieves(_("Arrears on new dates"), "REAGE", form=asks.ReageForm, icon="event_repeat")("reage")

    @service_action(
        _("Repayment"),
        permission=POST,
        form=asks.RepayForm,
        available=owing,
        icon="payments",
        confirm=_("A payment of a day to come changes nothing before that day closes."),
        preview=tried(_one(unapplied.repay)),
    )
    def repay(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        done = unapplied.repay(loan_id=loan.pk, **data, **acting.day)
        if isinstance(done, UnappliedMoney):
            return _("The payment is held and will be posted when its day closes.")
        return _("The repayment is booked.")

    @service_action(
        _("Waive"),
        permission=RELIEF,
        form=asks.WaiveForm,
        available=owing,
        icon="money_off",
        confirm=_("Above what one person may waive, a second person must allow it."),
        preview=tried(_one(loans.waive)),
    )
    def waive(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        reason = data.pop("note")
        done = desk.waive(loan_id=loan.pk, reason=reason, **data, **acting.day)
        return ASKED if hasattr(done, "maker") else _("The waiver is booked.")

    @service_action(
        _("Call in"),
        permission="lending.accelerate_loan",
        form=asks.NotedForm,
        available=runs_by_schedule,
        icon="gavel",
        variant=ActionVariant.DANGER,
        confirm=_("Everything falls due at once. A second person must allow it."),
        preview=tried(_one(adjust.accelerate)),
    )
    def accelerate(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_acceleration(loan_id=loan.pk, key=data["key"], reason=data["note"], **acting.day)
        return ASKED

    @service_action(
        _("Write off"),
        permission="lending.write_off_loan",
        form=asks.NotedForm,
        available=owing,
        icon="delete_sweep",
        variant=ActionVariant.DANGER,
        confirm=_(
            "The loan is given up in the books; the debt itself stands. A second person must allow it."
        ),
        preview=tried(_one(loans.write_off)),
    )
    def write_off(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_write_off(loan_id=loan.pk, key=data["key"], reason=data["note"], **acting.day)
        return ASKED
