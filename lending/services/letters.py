"""The letter of a decline: set when it is asked for, always from what was decided."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import Application, User
from lending.papers import letter


def of_decline(application: Application, *, language: str) -> bytes:
    """The letter as a PDF; refused while the application is not declined."""
    if application.state != Application.State.DECLINED or application.decided_at is None:
        raise Refused("no_letter", _("There is a letter only for an application that is declined."))
    return letter.render(
        content_of(application), language=language, decided_at=timezone.localtime(application.decided_at)
    )


@transaction.atomic
def reveal(*, application_id: int, language: str, by: User, at: datetime) -> bytes:
    """The same for a member of the staff, written down."""
    application = Application.objects.select_related("customer", "product").get(pk=application_id)
    content = of_decline(application, language=language)
    facts = {"title": "letter of a decline", "language": language}
    events.record("document.revealed", application, by=by, at=at, **facts)
    return content


def content_of(application: Application) -> dict[str, Any]:
    product = application.product
    return {
        "lender": settings.LENDER_NAME,
        "customer": application.customer.name,
        "application": str(application),
        "product": product.name,
        "product_zh": product.name_zh,
        "amount": str(application.amount),
        "currency": product.currency,
        "reasons": application.reasons,
        "automatic": application.decided_by_id is None,
        "reviewed": application.review_requested_at is not None,
    }
