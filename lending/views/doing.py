"""From a request to a service and back: who and when on the way in, a refusal in words on the way out."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django_fsm import TransitionNotAllowed

from lending import clock
from lending.errors import Refused
from lending.forms.base import CHANGED_MEANWHILE


def stamp(request: HttpRequest) -> dict[str, Any]:
    """`by` and `at` of everything this request does."""
    return {"by": request.user, "at": clock.now()}


def dated(request: HttpRequest) -> dict[str, Any]:
    """`by`, `at` and `on`, for what is booked on a business date."""
    return stamp(request) | {"on": clock.today()}


def posted(request: HttpRequest) -> QueryDict | None:
    """The answers to bind a form to; also when there are none, as long as they were sent."""
    return request.POST if request.method == "POST" else None


def act(request: HttpRequest, service: Callable[..., Any], *, done: Any = "", **arguments: Any) -> Any:
    """Call a service for a button without a form: what came of it is said on the next page.

    Returns what the service returns, or None when it refused.
    """
    try:
        result = service(**arguments)
    except Refused as refusal:
        messages.error(request, refusal.message)
    except TransitionNotAllowed:
        messages.error(request, CHANGED_MEANWHILE)
    else:
        if done:
            messages.success(request, done)
        return result
    return None
