"""What the scorecards say of each grade, for the provisions of lending (settings.GRADE_DEFAULT_RATES)."""

from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Avg, Count

from risk.models import Assessment

# Older judgments say little about the loans of today.
WINDOW = timedelta(days=730)


def by_grade(on: date) -> dict[str, tuple[Decimal, int]]:
    """The mean chance of default of the judgments that gave the grade in the last two years, and how many they are.
    The chance is that of the scorecard's own horizon, which is twelve months."""
    rows = Assessment.objects.filter(at__date__gt=on - WINDOW, at__date__lte=on, pd__isnull=False)
    found = rows.exclude(grade="").order_by("grade").values_list("grade").annotate(Avg("pd"), Count("pk"))
    return {grade: (Decimal(str(pd)), cases) for grade, pd, cases in found}
