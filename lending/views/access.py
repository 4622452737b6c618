"""Who may open a page. Every view names one of these, so that a sweep over the URLs can prove it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from lending.models import User

View = Callable[..., HttpResponseBase]


class SignedIn(HttpRequest):
    """What a view behind one of these sees: a request whose user is known."""

    user: User


def public(view: View) -> View:
    """For everyone, signed in or not."""
    return _marked(view, "public")


def signed_in(view: View) -> View:
    """For anyone with an account."""
    return _marked(login_required(view), "signed in")


def applicant_required(view: View) -> View:
    """For people who are not staff and have no profile yet."""

    @wraps(view)
    def checked(request: SignedIn, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_staff:
            raise PermissionDenied
        if request.user.is_customer:
            return redirect("lending:home")
        return view(request, *args, **kwargs)

    return _marked(login_required(checked), "applicant")


def customer_required(view: View) -> View:
    """For customers. Whoever has an account but no profile is sent to make one; staff has its own pages.

    What a view then shows or changes it fetches through `request.user.customer`, so that a stranger's things
    do not exist for it.
    """

    @wraps(view)
    def checked(request: SignedIn, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_staff:
            raise PermissionDenied
        if not request.user.is_customer:
            return redirect("lending:profile")
        return view(request, *args, **kwargs)

    return _marked(login_required(checked), "customer")


def _marked(view: View, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view
