"""How several workers share the customers out."""

from dataclasses import dataclass
from typing import TypeVar

from django.db import models
from django.db.models import F

M = TypeVar("M", bound=models.Model)
# The condition of a share on a row that has a customer, for SQL that is given `*share.params`.
CUSTOMERS = "customer_id %% %s = %s"


@dataclass(frozen=True, slots=True)
class Share:
    """Every `of`-th customer, by number: each belongs to exactly one of the shares 0 to `of` - 1."""

    number: int
    of: int

    def of_customers(self, rows: "models.QuerySet[M]", column: str = "customer_id") -> "models.QuerySet[M]":
        """The rows that belong to these customers; `column` holds their number."""
        if self.of == 1:
            return rows
        return rows.annotate(share=F(column) % self.of).filter(share=self.number)  # type: ignore[return-value]

    @property
    def params(self) -> tuple[int, int]:
        """The values for `CUSTOMERS`."""
        return self.of, self.number

    def __contains__(self, customer_id: int) -> bool:
        return customer_id % self.of == self.number


EVERYBODY = Share(0, 1)
