"""How several workers share the customers out."""

from dataclasses import dataclass

# The condition of a share on a row that has a customer, for SQL that is given `*share.params`.
CUSTOMERS = "customer_id %% %s = %s"


@dataclass(frozen=True, slots=True)
class Share:
    """Every `of`-th customer, by number: each belongs to exactly one of the shares 0 to `of` - 1."""

    number: int
    of: int

    @property
    def params(self) -> tuple[int, int]:
        """The values for `CUSTOMERS`."""
        return self.of, self.number

    def __contains__(self, customer_id: int) -> bool:
        return customer_id % self.of == self.number


EVERYBODY = Share(0, 1)
