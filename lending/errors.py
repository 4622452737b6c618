"""How the domain says no."""

from typing import Any


class Refused(Exception):
    """A request that a rule of the house turns down; nothing has been written.

    `code` is stable and for machines, `message` is translated and for people, `field` names the input at fault (or is
    empty when the request as a whole is). Forms turn it into a field error, the API into a problem+json body.
    """

    def __init__(self, code: str, message: Any, *, field: str = "") -> None:
        super().__init__(code)
        self.code, self.message, self.field = code, message, field

    def __str__(self) -> str:
        return str(self.message)
