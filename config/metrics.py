"""Figures for monitoring, in the text that Prometheus reads: what waits, what failed, how far behind the clock is."""

import hmac
from collections.abc import Callable, Iterator

import redis
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config import schedule
from dunning.models import Case, Contact
from lending import clock
from lending.models import Application, ApprovalRequest, BusinessDate, Notice
from risk.models import Alert, Appeal

GAUGES: dict[str, tuple[str, Callable[[], int]]] = {
    "business_date_lag_days": (
        "Days between the open business date and the calendar",
        lambda: (clock.wall_date() - clock.today()).days,
    ),
    "applications_waiting": (
        "Submitted applications that no machine has decided yet",
        lambda: Application.objects.filter(state=Application.State.SUBMITTED).count(),
    ),
    "applications_referred": (
        "Applications that wait for an officer",
        lambda: Application.objects.filter(state=Application.State.REFERRED).count(),
    ),
    "approvals_pending": (
        "Requests that wait for a second person",
        lambda: ApprovalRequest.objects.filter(state=ApprovalRequest.State.PENDING).count(),
    ),
    "notices_due": (
        "Messages whose time has come and that are not sent",
        lambda: Notice.objects.filter(state=Notice.State.PENDING, send_after__lte=clock.now()).count(),
    ),
    "notices_failed": (
        "Messages that were given up",
        lambda: Notice.objects.filter(state=Notice.State.FAILED).count(),
    ),
    "alerts_open": ("Open alerts on behaviour", lambda: Alert.objects.filter(state=Alert.State.OPEN).count()),
    "appeals_open": (
        "Objections that wait for an answer",
        lambda: Appeal.objects.filter(state=Appeal.State.OPEN).count(),
    ),
    "cases_open": (
        "Cases of customers in arrears",
        lambda: Case.objects.exclude(state=Case.State.CLOSED).count(),
    ),
    "contacts_planned": (
        "Contacts that are planned",
        lambda: Contact.objects.filter(state=Contact.State.PLANNED).count(),
    ),
}
QUEUES = sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *(route["queue"] for route in schedule.ROUTES.values())})


class House(Collector):
    """Asked anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        for name, (words, count) in GAUGES.items():
            try:
                yield GaugeMetricFamily(f"opentab_{name}", words, value=count())
            except BusinessDate.DoesNotExist:  # the books are not open: there is no such figure
                continue
        queues = GaugeMetricFamily("opentab_queue_length", "Tasks that no worker has taken", labels=["queue"])
        with redis.Redis.from_url(settings.REDIS_URL) as broker:
            for queue in QUEUES:
                queues.add_metric([queue], int(broker.llen(f"{settings.REDIS_PREFIX}{queue}")))
        yield queues


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever sends METRICS_TOKEN as a bearer; to everyone else there is no such page."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(House())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
