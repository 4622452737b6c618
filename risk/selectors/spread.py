"""A company's accounts as they are now: the newest filing of each year."""

from decimal import Decimal

from risk.models import FinancialStatement

MOST = 5  # years


def years(company_id: int, most: int = MOST) -> dict[int, dict[str, Decimal]]:
    """The figures of the newest years, newest first."""
    filed = FinancialStatement.objects.filter(company_id=company_id)
    newest = filed.order_by("-year", "-filed_at").distinct("year")[:most]
    return {
        one.year: {name: Decimal(amount) for name, amount in one.figures.items() if amount is not None}
        for one in newest
    }
