"""What every request passes through."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from lending.models import BusinessDate

Handler = Callable[[HttpRequest], HttpResponse]


def user_language(get_response: Handler) -> Handler:
    """Speak the language that a signed-in user chose, on whatever device they are."""

    def answer(request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", "")
        if language:
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language()
        return get_response(request)

    return answer


class BooksOpen:
    """Until the books are open there is no business date, and a page in words beats an error."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, BusinessDate.DoesNotExist):
            return render(request, "503.html", status=503)
        return None
