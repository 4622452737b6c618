"""`Idempotency-Key`: a request that moves money is done once, however often it is sent."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django_fsm import TransitionNotAllowed
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from lending import clock
from lending.api import problems
from lending.errors import Refused
from lending.models import ApiRequest

HEADER = "Idempotency-Key"
KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": f"^{KEY.pattern}$"},
    OpenApiParameter.HEADER,
    required=True,
    description=(
        "Your own name for this request, such as a UUID. The same key and body give the same answer again; "
        "another body under it is refused with 422, a request still being worked on with 409."
    ),
)


def key_of(request: Request) -> str:
    """The key of a request. Raises a ValidationError when it is missing or has other signs than `KEY`."""
    key = request.headers.get(HEADER, "")
    if not KEY.fullmatch(key):
        message = _("Send 1 to 64 letters, digits or . _ : - in this header.")
        raise exceptions.ValidationError({HEADER: [message]})
    return key


def answer_once(request: Request, work: Callable[[str], Any], *, status: int = 200) -> Response:
    """Does `work` (given a key for the money it moves) and keeps its answer, both in one transaction.

    A repeat gets the answer that was kept; a refusal of the domain is kept too. Whatever else goes wrong, a killed
    process included, leaves nothing behind, so the request may be sent again. Raises InFlight and KeyReused.
    """
    key, body = key_of(request), _fingerprint(request)
    with transaction.atomic():
        _only_one(request.user.pk, key)
        kept = ApiRequest.objects.filter(user=request.user, key=key).first()
        if kept:
            return _again(kept, body)
        response = _answer(lambda: work(f"api:{request.user.pk}:{key}"), status)
        ApiRequest.objects.create(
            user=request.user,
            key=key,
            fingerprint=body,
            status=response.status_code,
            body=response.data,
            at=clock.wall(),
        )
        return response


def _only_one(user_id: int, key: str) -> None:
    """A lock that ends with the transaction. The unique constraint on ApiRequest stands behind it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"api {user_id} {key}"])
        if not cursor.fetchone()[0]:
            raise problems.InFlight()


def _answer(work: Callable[[], Any], status: int) -> Response:
    try:
        with transaction.atomic():
            return Response(work(), status=status)
    except (Refused, TransitionNotAllowed) as error:
        return problems.refusal(error)


def _again(kept: ApiRequest, body: str) -> Response:
    if kept.fingerprint != body:
        raise problems.KeyReused()
    problem = problems.CONTENT_TYPE if (kept.status or 0) >= 400 else None
    return Response(kept.body, kept.status, headers={"Idempotent-Replayed": "true"}, content_type=problem)


def _fingerprint(request: Request) -> str:
    """What was asked, without regard to the order of fields or white space."""
    asked = json.dumps([request.method, request.path, request.data], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()
