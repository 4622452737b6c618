"""What comes in and what goes out. Limits here are about form; every rule about money is a service's."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from lending.models import (
    Application,
    CreditLine,
    Customer,
    Industry,
    Instalment,
    Loan,
    Purchase,
    Transaction,
)

# The platform's names for customers and orders: also parts of addresses, hence no slash.
REFERENCE = r"[A-Za-z0-9._:-]{1,64}"


class Checked(serializers.Serializer):
    """Input that says so when it is sent a field that it does not know, instead of dropping it."""

    def to_internal_value(self, data: Any) -> Any:
        known = super().to_internal_value(data)
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError({name: [_("There is no such field.")] for name in unknown})
        return known

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        serializer = cls(data=request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


@extend_schema_field(
    {
        "type": "string",
        "pattern": r"^[0-9]{1,14}(\.[0-9]{1,2})?$",
        "example": "129.90",
        "description": "above zero",
    }
)
class Amount(serializers.DecimalField):
    """Above zero, two decimals at most."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=16, decimal_places=2, min_value=Decimal("0.01"), **options)


class Reference(serializers.RegexField):
    def __init__(self, **options: Any) -> None:
        super().__init__(rf"^{REFERENCE}\Z", max_length=64, **options)


class RegisterSerializer(Checked):
    platform_ref = Reference(help_text=_("your own name for the customer"))
    kind = serializers.ChoiceField(Customer.Kind.choices)
    name = serializers.CharField(max_length=120)
    registered_on = serializers.DateField(help_text=_("on the platform since"))
    id_number = serializers.CharField(
        max_length=18, required=False, help_text=_("resident identity number, or unified social credit code")
    )
    phone = serializers.CharField(max_length=20, required=False)
    email = serializers.EmailField(required=False)
    language = serializers.ChoiceField(["en", "zh-hans"], required=False)
    region = serializers.CharField(max_length=64, required=False)
    industry = serializers.PrimaryKeyRelatedField(
        queryset=Industry.objects.all(), required=False, help_text=_("code of GB/T 4754")
    )
    monthly_income = Amount(required=False)
    is_student = serializers.BooleanField(required=False)


class AuthoriseSerializer(Checked):
    customer = Reference(help_text=_("your own name for the customer"))
    order_ref = Reference(help_text=_("your own name for the order"))
    amount = Amount()
    tenor = serializers.IntegerField(
        min_value=1, max_value=120, help_text=_("number of monthly instalments; see the quote of the line")
    )
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CaptureSerializer(Checked):
    amount = Amount(required=False, help_text=_("all of it when left out; what is not captured is set free"))


class RefundSerializer(Checked):
    amount = Amount()


class VoidSerializer(Checked):
    """Nothing to say."""


class QuoteSerializer(Checked):
    amount = Amount()


class CustomerSerializer(serializers.ModelSerializer):
    """The identity number and the phone are never sent back in full."""

    email = serializers.CharField(help_text=_("empty when unknown"))

    class Meta:
        model = Customer
        fields = [
            "platform_ref",
            "kind",
            "state",
            "name",
            "masked_id_number",
            "masked_phone",
            "email",
            "language",
            "region",
            "industry",
            "is_student",
            "registered_on",
        ]
        read_only_fields = fields


class ApplicationSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.platform_ref")
    product = serializers.CharField(source="product.code")

    class Meta:
        model = Application
        fields = [
            "id",
            "customer",
            "product",
            "state",
            "amount",
            "tenor",
            "purpose",
            "reasons",
            "approved_amount",
            "created_at",
            "submitted_at",
            "decided_at",
        ]
        read_only_fields = fields


class LineSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.platform_ref")
    limit = serializers.SerializerMethodField(help_text=_("with the temporary limits that run today"))
    free = serializers.SerializerMethodField(help_text=_("what can still be bought; zero while suspended"))

    class Meta:
        model = CreditLine
        fields = ["customer", "state", "limit", "used", "held", "free", "statement_day", "opened_on"]
        read_only_fields = fields

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=2))
    def get_limit(self, line: CreditLine) -> str:
        return str(line.limit(self.context["on"]))

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=2))
    def get_free(self, line: CreditLine) -> str:
        return str(line.free(self.context["on"]))


class PurchaseSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.platform_ref")

    class Meta:
        model = Purchase
        fields = [
            "order_ref",
            "customer",
            "state",
            "amount",
            "captured",
            "refunded",
            "tenor",
            "annual_cost",
            "description",
            "loan",
            "authorised_at",
            "expires_on",
        ]
        read_only_fields = fields


class PlanRowSerializer(serializers.Serializer):
    due_on = serializers.DateField()
    principal = serializers.DecimalField(max_digits=18, decimal_places=2)
    interest = serializers.DecimalField(max_digits=18, decimal_places=2)
    fee = serializers.DecimalField(max_digits=18, decimal_places=2)
    total = serializers.DecimalField(max_digits=18, decimal_places=2)


class PlanSerializer(serializers.Serializer):
    """One way to pay for an order; the annual cost must be as easy to see as the instalment."""

    tenor = serializers.IntegerField()
    instalment = serializers.DecimalField(max_digits=18, decimal_places=2)
    total = serializers.DecimalField(max_digits=18, decimal_places=2)
    cost = serializers.DecimalField(max_digits=18, decimal_places=2)
    annual_cost = serializers.DecimalField(
        max_digits=None, decimal_places=None, help_text=_("all-in, compounded, yearly fraction")
    )
    rows = PlanRowSerializer(many=True)


class InstalmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Instalment
        fields = [
            *("number", "due_on", "principal", "interest", "fee", "penalty"),
            *("total", "paid", "outstanding", "paid_on"),
        ]
        read_only_fields = fields

    paid = serializers.DecimalField(max_digits=18, decimal_places=2, read_only=True)


class LoanSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.platform_ref")
    product = serializers.CharField(source="product.code")
    number = serializers.CharField(source="__str__", help_text=_("as the customer sees it"))

    class Meta:
        model = Loan
        fields = [
            *("id", "number", "customer", "product", "state", "currency", "principal_amount", "annual_cost"),
            *("disbursed_on", "matures_on", "settled_on", "oldest_due_on"),
            *("principal", "interest", "fee", "penalty", "credit"),
        ]
        read_only_fields = fields


class LoanWithInstalmentsSerializer(LoanSerializer):
    instalments = InstalmentSerializer(many=True)

    class Meta(LoanSerializer.Meta):
        fields = [*LoanSerializer.Meta.fields, "instalments"]
        read_only_fields = fields


class RepaySerializer(Checked):
    amount = Amount(help_text=_("more than is owed becomes a credit balance"))
    currency = serializers.CharField(max_length=3, required=False, help_text=_("the loan's own"))
    value_on = serializers.DateField(required=False, help_text=_("when the money came in; today unless said"))
    channel = serializers.CharField(max_length=20, required=False)


class TransactionSerializer(serializers.ModelSerializer):
    """A posting and how its amount was spread."""

    class Meta:
        model = Transaction
        fields = [
            *("id", "loan", "type", "amount", "value_on", "booked_on", "channel"),
            *("principal", "interest", "fee", "penalty", "credit"),
        ]
        read_only_fields = fields
