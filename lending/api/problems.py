"""Errors as `application/problem+json` (RFC 9457), one shape for every way to say no."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from django_fsm import TransitionNotAllowed
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler, set_rollback

from lending.errors import Refused

CONTENT_TYPE = "application/problem+json"


class InFlight(exceptions.APIException):
    """The first request with this key has not been answered yet."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "in_flight"

    def __init__(self) -> None:
        super().__init__(_("A request with this key is still being worked on. Ask again in a moment."))


class KeyReused(exceptions.APIException):
    """The key was used for another request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "key_reused"

    def __init__(self) -> None:
        super().__init__(_("This Idempotency-Key was used for another request."))


class TooLarge(exceptions.APIException):
    """The body is longer than settings.DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__(_("The body is too large: send less at a time."))


class Unstorable(exceptions.APIException):
    """A value of the right form that no database can hold, such as a time zone of 21 hours."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid"

    def __init__(self) -> None:
        super().__init__(_("A value is out of range."))


class Busy(exceptions.APIException):
    """The database gave up on a lock or a connection; nothing was written."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "busy"

    def __init__(self) -> None:
        super().__init__(_("Too busy at the moment. Nothing was changed; please try again."))


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST_FRAMEWORK["EXCEPTION_HANDLER"]; None leaves a defect to Django, which logs it and answers 500."""
    if isinstance(error, Refused | TransitionNotAllowed):
        set_rollback()
        return refusal(error)
    error = _as_api_exception(error)
    answer = exception_handler(error, context)
    if answer is None or not isinstance(error, exceptions.APIException):
        return answer
    return problem(answer.status_code, *_said(error), headers=answer.headers)


def refusal(error: Refused | TransitionNotAllowed) -> Response:
    """422 when an input is at fault, 409 when the state of things is."""
    if isinstance(error, TransitionNotAllowed):
        detail = _("This is not possible in the present state.")
        return problem(status.HTTP_409_CONFLICT, "wrong_state", detail)
    if error.field:
        named = [{"field": error.field, "message": str(error)}]
        return problem(status.HTTP_422_UNPROCESSABLE_ENTITY, error.code, str(error), named)
    return problem(status.HTTP_409_CONFLICT, error.code, str(error))


def problem(
    code: int, name: str, detail: str, errors: list[dict[str, str]] | None = None, headers: Any = None
) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:opentab:problem:{name}",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "code": name,
        "detail": detail,
        "errors": errors or [],
    }
    kept = {name: value for name, value in dict(headers or {}).items() if name.lower() != "content-type"}
    return Response(body, status=code, headers=kept, content_type=CONTENT_TYPE)


def _as_api_exception(error: Exception) -> Exception:
    for kind, own in OWN.items():
        if isinstance(error, kind):
            return own()
    return error


OWN: dict[type[Exception], type[exceptions.APIException]] = {
    Http404: exceptions.NotFound,
    PermissionDenied: exceptions.PermissionDenied,
    RequestDataTooBig: TooLarge,
    DataError: Unstorable,
    OperationalError: Busy,
}


def _said(error: exceptions.APIException) -> tuple[str, str, list[dict[str, str]]]:
    if isinstance(error, exceptions.ValidationError):
        return "invalid", _("The request is not valid."), list(_fields(error.detail))
    return str(error.default_code), str(error.detail), []


def _fields(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Every message with the path of the field it belongs to: `items.0.amount`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _fields(inner, path if whole else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _fields(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield {"field": path, "message": str(detail)}
