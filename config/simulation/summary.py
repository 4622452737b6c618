"""What the book looks like after a simulation, in a few lines."""

from decimal import Decimal

from django.db.models import F, Sum

from dunning.engine.strategy import bucket
from dunning.models import Case
from lending.fields import ZERO
from lending.models import Application, BusinessDate, CreditLine, Customer, JournalLine, Loan, Purchase
from risk.models import Alert, ModelVersion, PlatformEvent

BUCKETS = ("M0", "M1", "M2", "M3", "M3+")


def of_the_book() -> str:
    """Counts, the balance by days past due, and whether the books balance."""
    on = BusinessDate.current()
    applications = Application.objects.all()
    balances = _balances()
    total = sum(balances.values(), ZERO) or Decimal(1)
    shares = "  ".join(f"{name} {balances[name] / total:.2%}" for name in BUCKETS)
    lines = [
        f"Business date {on}: {Customer.objects.count()} customers, {PlatformEvent.objects.count()} events.",
        f"Applications: {applications.count()}, of these booked {applications.filter(state='BOOKED').count()}, "
        f"declined {applications.filter(state='DECLINED').count()}.",
        f"Lines: {CreditLine.objects.count()}; purchases: {Purchase.objects.count()}; loans: {Loan.objects.count()}, "
        f"principal {sum(balances.values(), ZERO):,.2f}.",
        f"By days past due: {shares}",
        f"Open cases: {Case.objects.exclude(state='CLOSED').count()}; alerts: {Alert.objects.count()}; "
        f"models: {', '.join(map(str, ModelVersion.objects.filter(state='CHAMPION'))) or 'none in charge'}.",
        f"Trial balance: {JournalLine.objects.aggregate(sum=Sum('amount'))['sum'] or ZERO}",
    ]
    return "\n".join(lines)


def _balances() -> dict[str, Decimal]:
    """Principal owed, by bucket of its loan."""
    on = BusinessDate.current()
    found = dict.fromkeys(BUCKETS, ZERO)
    owing = Loan.objects.filter(state__in=Loan.OWING)
    for since, principal in owing.values_list("oldest_due_on").annotate(sum=Sum(F("principal"))):
        found[bucket((on - since).days if since else 0)] += principal
    return found
