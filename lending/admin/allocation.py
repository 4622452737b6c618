"""Who is paid first: the order of a product's payments, set part by part, tried out before it is kept."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from lending import clock, engine
from lending.admin.base import Acting
from lending.admin.forms import ActionForm, amount_field
from lending.admin.parts import Section, link, page_of
from lending.engine.allocation import PRESETS
from lending.errors import Refused
from lending.models import Product
from lending.selectors import allocation as selectors
from lending.services import allocation as service
from lending.words import figure

OWN = "OWN"
TYPES = ("DEFAULT", "REPAYMENT", "GOODWILL", "MERCHANT_REFUND", "PAYOUT_REFUND")
TYPE_WORDS = {
    "DEFAULT": _("All payments"),
    "REPAYMENT": _("Repayment"),
    "GOODWILL": _("Goodwill credit"),
    "MERCHANT_REFUND": _("Merchant refund"),
    "PAYOUT_REFUND": _("Payout refund"),
}
PRESET_WORDS = {
    **dict(Product.Allocation.choices),
    OWN: _("An order of our own, as below"),
}
PROCESSING_WORDS = {
    "HORIZONTAL": _("One instalment is finished before the next"),
    "VERTICAL": _("One part is finished over all instalments before the next part"),
}
FUTURE_WORDS = {
    "NEXT": _("the next instalment first"),
    "LAST": _("the last instalment first"),
    "NEXT_LAST": _("the running one, then the last first"),
    "REAMORTISE": _("an even part to each"),
}
WHEN_WORDS = {"PAST_DUE": _("past due"), "DUE": _("due"), "IN_ADVANCE": _("in advance")}
PART_WORDS = {
    "PENALTY": _("penalty"),
    "FEE": _("fee"),
    "INTEREST": _("interest"),
    "PRINCIPAL": _("principal"),
}
# How the parts stand on the page, and the order a new rule begins with.
ORDER = [f"{when}_{part}" for when in WHEN_WORDS for part in PART_WORDS]


def part_words(name: str) -> str:
    """ "interest past due", for the part PAST_DUE_INTEREST."""
    when, _low, part = name.rpartition("_")
    return f"{PART_WORDS[part]} · {WHEN_WORDS[when]}"


class AllocationForm(ActionForm):
    """The twelve parts with a number each, once for all payments and once more for each type with its own order."""

    mode = forms.ChoiceField(label=_("Who is paid first"), choices=list(PRESET_WORDS.items()))
    processing = forms.ChoiceField(label=_("How"), choices=list(PROCESSING_WORDS.items()))
    kind = forms.ChoiceField(label=_("Example: a payment of type"), choices=list(TYPE_WORDS.items())[1:])
    amount = amount_field(_("Example: amount"), initial=Decimal("100.00"))
    on = forms.DateField(label=_("Example: paid on"))

    def prepare(self) -> None:
        self.fields["on"].initial = clock.today()
        rules = self._rules()
        self.fields["mode"].initial = OWN if rules else self.subject.allocation
        self.fields["processing"].initial = rules.processing if rules else "HORIZONTAL"
        known = dict(rules.rules) if rules else {}
        for kind in TYPES:
            rule = known.get(kind)
            if kind != "DEFAULT":
                self.fields[f"own_{kind}"] = forms.BooleanField(
                    label=TYPE_WORDS[kind], required=False, initial=rule is not None
                )
            self.fields[f"future_{kind}"] = forms.ChoiceField(
                label=_("In advance"),
                choices=list(FUTURE_WORDS.items()),
                initial=rule.future if rule else "NEXT",
            )
            order = rule.order if rule else ORDER
            for part in ORDER:
                self.fields[f"{kind}_{part}"] = forms.IntegerField(
                    label=part_words(part), min_value=1, max_value=len(ORDER), initial=order.index(part) + 1
                )

    def _rules(self) -> engine.Allocation | None:
        kept = self.subject.allocation_rules
        return engine.Allocation.from_json(kept) if kept else None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("mode") == OWN and not self.errors:
            for kind in self.kinds(data):
                numbers = [data[f"{kind}_{part}"] for part in ORDER]
                if len(set(numbers)) < len(numbers):
                    words = _("%(type)s: each part needs a number of its own, from 1 to 12.")
                    self.add_error(None, words % {"type": TYPE_WORDS[kind]})
        return data

    def kinds(self, data: dict[str, Any]) -> list[str]:
        """The types with an order of their own."""
        return [kind for kind in TYPES if kind == "DEFAULT" or data.get(f"own_{kind}")]

    def rules(self) -> dict[str, Any] | None:
        """The rules as the engine knows them; None for a preset."""
        data = self.cleaned_data
        if data["mode"] != OWN:
            return None
        return {
            "processing": data["processing"],
            "rules": {
                kind: {
                    "order": sorted(ORDER, key=lambda part: data[f"{kind}_{part}"]),
                    "future": data[f"future_{kind}"],
                }
                for kind in self.kinds(data)
            },
        }

    # --- for the table on the page ----------------------------------------------------------------------

    def owns(self) -> list[Any]:
        return [self[f"own_{kind}"] if kind != "DEFAULT" else None for kind in TYPES]

    def futures(self) -> list[Any]:
        return [self[f"future_{kind}"] for kind in TYPES]

    def lines(self) -> Iterator[tuple[str, list[Any]]]:
        for part in ORDER:
            yield part_words(part), [self[f"{kind}_{part}"] for kind in TYPES]


def section(product: Product) -> Section:
    """What holds for the product, and the way to its page."""
    return Section(
        _("Who is paid first"),
        rows=[(name, words) for name, words in _facts(product)],
        facts=True,
        links=[link(_("Show and try out"), reverse("admin:lending_product_allocation", args=[product.pk]))],
    )


def _facts(product: Product) -> Iterator[tuple[Any, Any]]:
    if not product.allocation_rules:
        yield TYPE_WORDS["DEFAULT"], PRESET_WORDS[product.allocation]
        return
    rules = engine.Allocation.from_json(product.allocation_rules)
    yield _("How"), PROCESSING_WORDS[rules.processing]
    for kind, rule in rules.rules:
        first = ", ".join(part_words(part) for part in rule.order[:4])
        yield TYPE_WORDS.get(kind, kind), f"{first} … ({FUTURE_WORDS[rule.future]})"


class AllocationPage:
    """The page of a product's allocation; the product's admin takes it in."""

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.allocation_view)  # type: ignore[attr-defined]
        return [
            path("<int:pk>/allocation/", page, name="lending_product_allocation"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def allocation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The order as it is, an example of what it does, and for a draft the way to change it."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        product = Product.objects.filter(pk=pk).first()
        if product is None:
            raise Http404
        writes = self.has_change_permission(request, product)  # type: ignore[attr-defined]
        form = AllocationForm(request.POST or None, subject=product)
        example = None
        if form.is_valid():
            example = _example(form, product, form.rules() or form.cleaned_data["mode"])
            if "_save" in request.POST and example:
                if not writes:
                    raise PermissionDenied
                if _kept(form, product, Acting.from_request(request)):
                    messages.success(request, _("The order is kept."))
                    return HttpResponseRedirect(page_of(product))
        elif request.method != "POST":
            kept: Any = product.allocation_rules
            rules = engine.Allocation.from_json(kept) if kept else product.allocation
            example = _shown(product, rules, "REPAYMENT", Decimal("100.00"), clock.today())
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": Product._meta,
            "original": product,
            "title": _("Who is paid first"),
            "form": form,
            "types": [TYPE_WORDS[kind] for kind in TYPES],
            "example": example,
            "sentence": _sentence(example) if example else "",
            "when": WHEN_WORDS,
            "writes": writes,
            "back": page_of(product),
        }
        return TemplateResponse(request, "admin/allocation.html", context)


def _example(form: AllocationForm, product: Product, rules: Any) -> selectors.Example | None:
    data = form.cleaned_data
    try:
        chosen = engine.Allocation.from_json(rules) if isinstance(rules, dict) else rules
        return selectors.example(product, chosen, data["kind"], data["amount"], data["on"])
    except engine.TermsError as error:
        form.add_error(None, error.message)
    except (ValueError, OverflowError, engine.EventError) as error:
        form.add_error("on", str(error))
    return None


def _shown(product: Product, rules: Any, kind: str, amount: Decimal, on: date) -> selectors.Example | None:
    try:
        return selectors.example(product, rules, kind, amount, on)
    except (engine.TermsError, engine.EventError):
        return None


def _kept(form: AllocationForm, product: Product, acting: Acting) -> bool:
    mode = form.cleaned_data["mode"]
    try:
        service.set_order(
            product_id=product.pk, preset=mode if mode in PRESETS else "", rules=form.rules(), **acting.moment
        )
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _sentence(example: selectors.Example) -> str:
    """100.00 paid on 2 March goes to: 1: interest 12.00, principal 88.00."""
    shares = [
        f"{line.number}: "
        + ", ".join(f"{PART_WORDS[name.upper()]} {figure(got)}" for name, got in line.got.items() if got)
        for line in example.lines
        if line.total
    ]
    if example.credit:
        shares.append(f"{_('credit balance')} {figure(example.credit)}")
    return _("%(amount)s paid on %(day)s goes to %(shares)s.") % {
        "amount": figure(example.amount),
        "day": example.on.isoformat(),
        "shares": "; ".join(shares),
    }
