"""Translation only: each action reads the request, asks one service, and writes the answer."""

from typing import Any

from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from lending import clock
from lending.api import serializers
from lending.api.once import PARAMETER, answer_once, key_of
from lending.models import Application, CreditLine, Customer, Loan, Purchase
from lending.services import customers, loans, purchases

Read = (mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet)
AMOUNT = OpenApiParameter("amount", {"type": "string", "example": "129.90"}, required=True)


class CustomerFilter(filters.FilterSet):
    registered_on = filters.DateFromToRangeFilter()

    class Meta:
        model = Customer
        fields = ["kind", "state", "industry"]


class Customers(*Read):
    """People and companies of the platform."""

    queryset = Customer.objects.all()
    serializer_class = serializers.CustomerSerializer
    filterset_class = CustomerFilter
    lookup_field = "platform_ref"
    lookup_value_regex = serializers.REFERENCE

    @extend_schema(request=serializers.RegisterSerializer, responses={201: serializers.CustomerSerializer})
    def create(self, request: Request) -> Response:
        """Register a customer, before an application can be made for them."""
        asked = serializers.RegisterSerializer.of(request)
        industry = asked.pop("industry", None)
        customer = customers.register(
            **asked, industry_id=industry and industry.pk, by=request.user, at=clock.now()
        )
        return Response(self.get_serializer(customer).data, status=status.HTTP_201_CREATED)


class ApplicationFilter(filters.FilterSet):
    customer = filters.CharFilter("customer__platform_ref")
    submitted_at = filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Application
        fields = ["state"]


class Applications(*Read):
    """Requests for credit and what became of them."""

    queryset = Application.objects.select_related("customer", "product")
    serializer_class = serializers.ApplicationSerializer
    filterset_class = ApplicationFilter
    lookup_value_regex = "[0-9]{1,18}"


class LineFilter(filters.FilterSet):
    class Meta:
        model = CreditLine
        fields = ["state"]


class Lines(*Read):
    """Credit lines, by the platform's own name for the customer."""

    serializer_class = serializers.LineSerializer
    filterset_class = LineFilter
    lookup_field = "customer__platform_ref"
    lookup_url_kwarg = "customer"
    lookup_value_regex = serializers.REFERENCE
    queryset = CreditLine.objects.exclude(state=CreditLine.State.CLOSED).select_related("customer", "product")

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | {"on": clock.today()}

    @extend_schema(parameters=[AMOUNT], responses=serializers.PlanSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def quote(self, request: Request, customer: str) -> Response:
        """Every way to pay for an order of that amount, with its rows and its annual cost."""
        serializer = serializers.QuoteSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        plans = purchases.plans(self.get_object(), serializer.validated_data["amount"], clock.today())
        return Response(serializers.PlanSerializer(plans, many=True).data)


class LoanFilter(filters.FilterSet):
    customer = filters.CharFilter("customer__platform_ref")
    product = filters.CharFilter("product__code")
    disbursed_on = filters.DateFromToRangeFilter()

    class Meta:
        model = Loan
        fields = ["state"]


class Loans(*Read):
    """What is owed; one loan shows its instalments too."""

    queryset = Loan.objects.select_related("customer", "product")
    filterset_class = LoanFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_serializer_class(self) -> type[serializers.LoanSerializer]:
        one = self.action == "retrieve"
        return serializers.LoanWithInstalmentsSerializer if one else serializers.LoanSerializer

    @extend_schema(
        request=serializers.RepaySerializer,
        responses={201: serializers.TransactionSerializer},
        parameters=[PARAMETER],
    )
    @action(detail=True, methods=["post"])
    def repayments(self, request: Request, pk: str) -> Response:
        """Money that came in for this loan."""
        key_of(request)
        asked = serializers.RepaySerializer.of(request)

        def work(key: str) -> Any:
            # The service locks the loan and reads it: here it is enough that it exists.
            loan_id = get_object_or_404(Loan.objects.only("pk"), pk=pk).pk
            posted = loans.repay(
                loan_id=loan_id, **asked, key=key, by=request.user, at=clock.now(), on=clock.today()
            )
            return serializers.TransactionSerializer(posted).data

        return answer_once(request, work, status=status.HTTP_201_CREATED)


class PurchaseFilter(filters.FilterSet):
    customer = filters.CharFilter("customer__platform_ref")
    authorised_at = filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Purchase
        fields = ["state"]


def moves_money(asks: type[serializers.Checked], code: int = status.HTTP_200_OK) -> Any:
    """Words for the schema of an action that is done once per key."""
    return extend_schema(
        request=asks, responses={code: serializers.PurchaseSerializer}, parameters=[PARAMETER]
    )


class Purchases(*Read):
    """Orders bought on a line: authorise, then capture or void, then perhaps refund."""

    queryset = Purchase.objects.select_related("customer")
    serializer_class = serializers.PurchaseSerializer
    filterset_class = PurchaseFilter
    lookup_field = "order_ref"
    lookup_value_regex = serializers.REFERENCE

    @moves_money(serializers.AuthoriseSerializer, status.HTTP_201_CREATED)
    def create(self, request: Request) -> Response:
        """Hold the amount on the customer's line."""
        key_of(request)
        asked = serializers.AuthoriseSerializer.of(request)

        def work(key: str) -> Any:
            line = open_line(asked.pop("customer"))
            return self._told(purchases.authorise(line_id=line.pk, **asked, **self._who(), on=clock.today()))

        return answer_once(request, work, status=status.HTTP_201_CREATED)

    @moves_money(serializers.CaptureSerializer)
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, order_ref: str) -> Response:
        """The goods have left: the held amount, or part of it, becomes a loan."""
        return self._once(request, serializers.CaptureSerializer, purchases.capture, on=True)

    @moves_money(serializers.VoidSerializer)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, order_ref: str) -> Response:
        """The order was called off before capture: the held amount is free again."""
        return self._once(request, serializers.VoidSerializer, purchases.void)

    @moves_money(serializers.RefundSerializer)
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, order_ref: str) -> Response:
        """Goods came back: the debt shrinks, and the line is free again by that much."""
        return self._once(request, serializers.RefundSerializer, purchases.refund, on=True, key=True)

    def _once(
        self, request: Request, asks: Any, service: Any, *, on: bool = False, key: bool = False
    ) -> Response:
        key_of(request)
        asked = asks.of(request) | ({"on": clock.today()} if on else {})

        def work(own_key: str) -> Any:
            given = asked | ({"key": own_key} if key else {})
            return self._told(service(purchase_id=self.get_object().pk, **given, **self._who()))

        return answer_once(request, work)

    def _who(self) -> dict[str, Any]:
        return {"by": self.request.user, "at": clock.now()}

    def _told(self, purchase: Purchase) -> Any:
        return self.get_serializer(self.get_queryset().get(pk=purchase.pk)).data


def open_line(platform_ref: str) -> CreditLine:
    """The line a customer may buy on. Raises NotFound for a stranger and for one without a line."""
    line = CreditLine.objects.exclude(state=CreditLine.State.CLOSED).filter(
        customer__platform_ref=platform_ref
    )
    return get_object_or_404(line)
