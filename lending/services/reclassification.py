"""Principal by how bad it is, in the books: what stands in overdue and in non-performing loans is shown on accounts of
its own, against one that takes it out of the principal.

The account of principal itself stays tied to the loans, whatever their class; with the contra account it is the
principal that performs and is not late.
"""

from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.utils.translation import gettext_lazy as _

from lending.models import Loan, Role
from lending.models.classes import MARKED_SQL
from lending.services import books, targets
from lending.services.steps import step
from lending.services.targets import Target

OVERDUE = Target(Role.OVERDUE, Role.RECLASSIFIED, 1, "overdue", "principal reclassified: overdue")
NON_PERFORMING = Target(
    Role.NON_PERFORMING, Role.RECLASSIFIED, 1, "non-performing", "principal reclassified: non-performing"
)

_STANDING = f"""
SELECT l.product_id, COALESCE(SUM(l.principal) FILTER (WHERE l.asset_class < 3 AND l.oldest_due_on < %(on)s), 0),
       COALESCE(SUM(l.principal) FILTER (WHERE l.asset_class >= 3), 0)
FROM lending_loan l
WHERE {MARKED_SQL} AND l.state = ANY(%(owing)s)
GROUP BY l.product_id
"""  # noqa: S608


@step(_("Principal is reclassified as overdue or non-performing"))
def follow(*, on: date, at: datetime) -> int:
    """Close step, after the loans are classified: the accounts of overdue and non-performing principal brought to what
    the loans are. One entry per product and kind, none where nothing moved. Returns the number of entries."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"on": on, "owing": [str(state) for state in Loan.OWING]})
        rows: list[tuple[int, Decimal, Decimal]] = cursor.fetchall()
    goals = [
        (OVERDUE, {product: amount for product, amount, _bad in rows}),
        (NON_PERFORMING, {product: amount for product, _late, amount in rows}),
    ]
    moved = targets.book_all(goals, on=on)
    books.tie_targets(goals, on)
    return moved
