"""Making loans: the contract, its instalments, and the disbursement that brings them to life."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from lending import bulk, engine
from lending.models import Loan, Product, User
from lending.services import posting

POSTED = bulk.Select(Loan, "id = ANY(%s::bigint[])")


def draft(
    *,
    customer_id: int,
    product: Product,
    terms: engine.Terms,
    rows: Sequence[engine.Row],
    annual_cost: Decimal,
    line_id: int | None = None,
    application_id: int | None = None,
) -> Loan:
    """The unsaved loan for the terms; `book` saves it and pays it out."""
    return Loan(
        customer_id=customer_id,
        product=product,
        line_id=line_id,
        application_id=application_id,
        currency=product.currency,
        terms=terms.to_json(),
        principal_amount=terms.principal,
        annual_cost=annual_cost,
        disbursed_on=terms.disbursed_on,
        matures_on=rows[-1].due_on,
    )


@transaction.atomic
def book(
    loans: Sequence[Loan],
    *,
    keys: Sequence[str],
    amounts: Sequence[Decimal] | None = None,
    by: User | None,
    at: datetime,
    on: date,
    kind: str = posting.BY_MERCHANT,
) -> list[Loan]:
    """Save the loans and pay them out: the disbursement makes the instalments and moves the books and the lines.

    `kind` says who gets the money; `amounts` how much now, where a loan goes out in tranches. Returns the loans as
    posted.
    """
    bulk.create_many(loans)
    posting.post_many(
        [
            posting.Posting(
                loan_id=loan.pk,
                type=posting.Type.DISBURSEMENT,
                kind=kind,
                amount=amount,
                key=key,
                value_on=loan.disbursed_on,
            )
            for loan, key, amount in zip(
                loans, keys, amounts or [loan.principal_amount for loan in loans], strict=True
            )
        ],
        by=by,
        at=at,
        on=on,
    )
    posted = {loan.pk: loan for loan in POSTED([loan.pk for loan in loans])}
    return [posted[loan.pk] for loan in loans]
