"""Sources for demos and tests: they ask nobody, and the same person always gets the same answer.

The last digit of the identity number decides: 9 is unknown to the bureau, 8 has debts overdue elsewhere, 7 does not
match the name, and 6 gives no answer at all.
"""

from risk.bureaus.base import Answer, Subject


def _digit(subject: Subject) -> int:
    digits = [int(sign) for sign in subject.id_number if sign.isdigit()]
    if digits and digits[-1] == 6:
        raise OSError("the source does not answer")
    return digits[-1] if digits else 9


class Bureau:
    """A credit bureau that makes its reports up."""

    name = "sandbox bureau"
    licence = "SANDBOX"

    def ask(self, subject: Subject) -> Answer:
        digit = _digit(subject)
        if digit == 9:
            return Answer("NOT_FOUND")
        overdue = digit == 8
        return Answer(
            "FOUND",
            {
                "score": 480 if overdue else 600 + 20 * digit,
                "open_accounts": 1 + digit % 4,
                "overdue_accounts": int(overdue),
                "enquiries_6m": digit % 5,
            },
        )


class Identity:
    """An identity check that looks at the last digit."""

    name = "sandbox identity check"
    licence = "SANDBOX"

    def ask(self, subject: Subject) -> Answer:
        return Answer("NO_MATCH" if _digit(subject) == 7 else "MATCH")
