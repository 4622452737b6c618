"""How bad a loan is, on its page: the facts of the last close, and the two buttons of those who classify."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.base import Acting, service_action
from lending.admin.forms import ReasonForm
from lending.admin.parts import Section, label
from lending.models import AssetClass, Loan
from lending.selectors import classing
from lending.services import downgrades

CLASSIFY = "lending.classify_loan"
_TONES = dict(zip(AssetClass.values, ("success", "info", "warning", "danger", "danger"), strict=True))


def class_label(tier: int) -> Any:
    """The class in words, in its tone."""
    return label(AssetClass(tier).label, _TONES[tier])


class ClassForm(ReasonForm):
    """Only the classes that the button can give."""

    to = forms.TypedChoiceField(label=_("Class"), coerce=int)
    field_order = ["to", "reason"]

    def allowed(self, tier: int, present: int) -> bool:
        raise NotImplementedError

    def prepare(self) -> None:
        present = self.subject.asset_class
        self.fields["to"].choices = [one for one in AssetClass.choices if self.allowed(one[0], present)]


class WorseForm(ClassForm):
    def allowed(self, tier: int, present: int) -> bool:
        return tier > present


class BetterForm(ClassForm):
    def allowed(self, tier: int, present: int) -> bool:
        return tier < present


def _can_be_worse(loan: Loan) -> bool:
    return loan.state in Loan.OWING and loan.asset_class < AssetClass.LOSS


def _was_made_worse(loan: Loan) -> bool:
    return loan.state in Loan.OWING and loan.downgrades.filter(ended_on=None).exists()


class ClassifiedAdmin:
    """The part of the loan's admin that is about its class."""

    CLASSIFICATION: Any = (
        _("Classification, as of the last close"),
        {"fields": ["bucket_", "class_", "own_class_", "class_since", "non_performing_since", "watch_until"]},
    )
    CLASSIFIED_FIELDS = ("bucket_", "class_", "own_class_")
    CLASSIFYING = ("downgrade", "upgrade")

    @display(description=_("bucket"), ordering="bucket")
    def bucket_(self, loan: Loan) -> str:
        names = classing.buckets(clock.today()).names
        return names[min(loan.bucket, len(names) - 1)]

    @display(description=_("class"), ordering="asset_class")
    def class_(self, loan: Loan) -> Any:
        return class_label(loan.asset_class)

    @display(description=_("class by itself"))
    def own_class_(self, loan: Loan) -> Any:
        return class_label(loan.own_class)

    @service_action(
        _("Downgrade"),
        permission=CLASSIFY,
        form=WorseForm,
        available=_can_be_worse,
        icon="trending_down",
        variant=ActionVariant.WARNING,
        confirm=_("The class stays no better than this until the downgrade is taken back."),
    )
    def downgrade(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        downgrades.downgrade(loan_id=loan.pk, **data, **acting.day)
        return _("The loan is in a worse class.")

    @service_action(
        _("Take the downgrade back"),
        permission=CLASSIFY,
        form=BetterForm,
        available=_was_made_worse,
        icon="trending_up",
        confirm=_(
            "Never better than the days past due allow, nor while the loan is watched. A second person must allow it."
        ),
    )
    def upgrade(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        downgrades.ask_upgrade(loan_id=loan.pk, **data, **acting.day)
        return _("A second person is asked to allow it.")


def classification(loan: Loan) -> Section:
    """What staff made of the loan's class."""
    rows = [
        (row.since, class_label(row.to), row.reason, row.by, row.ended_on, row.end_reason, row.ended_by)
        for row in loan.downgrades.select_related("by", "ended_by")
    ]
    return Section(
        _("Downgrades by hand"),
        [_("Since"), _("Class"), _("Reason"), _("By"), _("Ended on"), _("Why it ended"), _("Ended by")],
        rows,
        permission="lending.view_downgrade",
    )
