"""The words of the event feed, for its schema; what is right and wrong in an event is the service's to say."""

from rest_framework import serializers

from lending.api.serializers import Reference
from risk.models import PlatformEvent

LARGEST_BATCH = 1000
FIELDS = ("customer_ref", "external_id", "kind", "at", "order_ref", "amount", "data")


class EventSerializer(serializers.Serializer):
    customer_ref = Reference(help_text="your own name for the customer")
    external_id = serializers.CharField(
        max_length=100, help_text="your own number for the event: it is taken in once"
    )
    kind = serializers.ChoiceField(PlatformEvent.Kind.choices)
    at = serializers.DateTimeField(help_text="with its time zone")
    order_ref = serializers.CharField(max_length=64, required=False, allow_blank=True)
    amount = serializers.DecimalField(
        max_digits=14,
        decimal_places=2,
        required=False,
        help_text="for orders, returns, cancellations and invoices",
    )
    data = serializers.DictField(
        required=False, help_text="a delivery says `late` or `promised_on`; an order may say `risky`"
    )


class RefusalSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="place in the list that was sent, from 0")
    field = serializers.CharField()
    message = serializers.CharField()


class ReceiptSerializer(serializers.Serializer):
    """What became of a batch: the sum of the three is the number of events sent."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    refused = RefusalSerializer(many=True)
