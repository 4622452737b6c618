"""Pages for everyone: what this is, and the choice of a language."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from lending import clock
from lending.models import Product
from lending.selectors import site
from lending.services import language as languages
from lending.views.access import public
from lending.views.doing import stamp


@public
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What the house offers; customers come straight to their own page."""
    if request.user.is_authenticated and not request.user.is_staff:
        return redirect("lending:home")
    live = Product.objects.filter(state=Product.State.LIVE).order_by("-audience", "kind")
    return render(request, "lending/landing.html", {"products": site.priced(live, clock.today())})


@public
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Speak another language from now on; whoever is signed in is remembered and written to in it."""
    code = request.POST.get("language", "")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        languages.choose(user_id=request.user.pk, language=code, **stamp(request))
    return set_language(request)
