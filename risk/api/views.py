from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lending import clock
from risk.api.serializers import FIELDS, LARGEST_BATCH, EventSerializer, ReceiptSerializer
from risk.services import events


class Events(APIView):
    """The platform's feed: orders, deliveries, returns, disputes, invoices."""

    @extend_schema(
        operation_id="events_create",
        request=EventSerializer(many=True),
        responses={200: ReceiptSerializer},
        description=(
            f"Up to {LARGEST_BATCH} events as a list. Each is taken in once, by its `external_id`, however often it "
            "is sent; a wrong one is refused by its index and holds up none of the others."
        ),
    )
    def post(self, request: Request) -> Response:
        rows, refused = _rows(request.data, request.user.get_username()[:40])
        result = events.ingest(rows=[row for _index, row in rows], at=clock.now(), by=request.user)
        refused += [(rows[one.index][0], one.field, one.message) for one in result.refused]
        told = {"accepted": result.accepted, "duplicates": result.duplicates}
        told["refused"] = [
            dict(zip(("index", "field", "message"), one, strict=True)) for one in sorted(refused)
        ]
        return Response(ReceiptSerializer(told).data)


def _rows(sent: Any, source: str) -> tuple[list[tuple[int, events.EventRow]], list[tuple[int, str, str]]]:
    """The events with their place in the list; what is no event at all is refused here."""
    if not isinstance(sent, list):
        raise ValidationError(_("Send a list of events."))
    if not 1 <= len(sent) <= LARGEST_BATCH:
        raise ValidationError(_("Send between 1 and %(most)d events at a time.") % {"most": LARGEST_BATCH})
    rows: list[tuple[int, events.EventRow]] = []
    refused: list[tuple[int, str, str]] = []
    for index, one in enumerate(sent):
        if fault := _fault(one):
            refused.append((index, *fault))
        else:
            rows.append((index, events.EventRow(**_named(one), source=source)))
    return rows, refused


def _fault(one: Any) -> tuple[str, str] | None:
    if not isinstance(one, dict):
        return "", _("An event is an object.")
    unknown = sorted(set(one) - set(FIELDS))
    return (unknown[0], _("There is no such field.")) if unknown else None


def _named(one: dict[str, Any]) -> dict[str, Any]:
    """Absent fields become empty ones, which the service refuses by name."""
    needed = dict.fromkeys(("customer_ref", "external_id", "kind", "at"))
    return needed | {name: value for name, value in one.items() if value is not None or name in needed}
