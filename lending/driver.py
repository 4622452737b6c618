"""How each connection speaks to the server: so that a statement that is asked often is planned once."""

from typing import Any

from psycopg import adapters
from psycopg.abc import Buffer, DumperKey
from psycopg.adapt import Dumper, PyFormat
from psycopg.types.numeric import Int4

# The close and the paths of money ask some two hundred fixed statements (lending/bulk.py). The driver would forget all
# but the last hundred, and the server would plan the others anew each time.
STATEMENTS = 500

SmallNumber = adapters.get_dumper(Int4, PyFormat.BINARY)
AnyNumber = adapters.get_dumper(int, PyFormat.BINARY)


class WholeNumber(Dumper):
    """Sends a whole number as an integer of the server, and a larger one as a bigint. The driver itself has a third
    type for those below 32,768, and a statement whose values are of other types is planned anew."""

    format = SmallNumber.format
    _small: Any = SmallNumber(int)
    _any: Any = AnyNumber(int)

    def get_key(self, obj: int, format: PyFormat) -> DumperKey:
        return SmallNumber if _is_small(obj) else self._any.get_key(obj, format)

    def upgrade(self, obj: int, format: PyFormat) -> Any:
        return self._small if _is_small(obj) else self._any.upgrade(obj, format)

    def dump(self, obj: int) -> Buffer | None:
        return self.upgrade(obj, PyFormat.BINARY).dump(obj)


def _is_small(number: int) -> bool:
    return -(2**31) <= number < 2**31


def set_up(connection: Any, **kwargs: Any) -> None:
    """For `connection_created`."""
    connection.connection.prepared_max = STATEMENTS
    connection.connection.adapters.register_dumper(int, WholeNumber)
