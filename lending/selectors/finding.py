"""How large tables are searched and counted: by index or not at all, and in a time that does not grow with them."""

import json
import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.db import connection, models
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from lending import fields
from lending.models import Customer

# A table of more rows than this is never gone through for a page.
LARGE = 100_000
# A search takes so many customers for those that are meant; who gives two letters gets the first of them.
MOST = 500
# And so many rows of theirs.
ROWS = 10_000

CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
# Same expressions as the indexes of Customer.
_CHARACTERS = """string_to_array("lending_customer"."name", NULL) @> string_to_array(%s, NULL)"""
_WORDS = """to_tsvector('simple', "lending_customer"."name") @@ to_tsquery('simple', %s)"""


def estimated_rows(model: type[models.Model]) -> int:
    """About how many rows the table has, by the last look of the database's housekeeping; 0 when it had none yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        return max(int(cursor.fetchone()[0]), 0)


def is_large(model: type[models.Model]) -> bool:
    return estimated_rows(model) > LARGE


def by_index(model: type[models.Model], names: Iterable[str]) -> bool:
    """Whether a search of these fields goes by index: what leads to customers is as large as they are."""
    return is_large(model) or (is_large(Customer) and any("customer__" in name for name in names))


def estimated_count(rows: QuerySet) -> int:
    """About how many rows a query brings, by the planner: as good as its statistics, and as quick for any size."""
    try:
        sql, parameters = rows.order_by().query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        found = cursor.fetchone()[0]
    plan = found if isinstance(found, list) else json.loads(found)
    return int(plan[0]["Plan"]["Plan Rows"])


def named(term: str) -> Q:
    """Customers by name, by index: Chinese characters that stand anywhere in it, or beginnings of its words."""
    if CHINESE.search(term):
        together = "".join(term.split())
        return Q(_says(_CHARACTERS, together), name__contains=together)
    words = re.findall(r"\w+", term)
    return Q(_says(_WORDS, " & ".join(f"{word}:*" for word in words))) if words else Q(pk__in=[])


def _says(condition: str, value: str) -> RawSQL:
    return RawSQL(condition, [value], output_field=models.BooleanField())  # noqa: S611


def customers(term: str) -> Q:
    """Customers by name, whole reference, phone or identity number."""
    found = named(term) | Q(platform_ref=term)
    if len(term) >= 7:
        print_ = fields.digest(term)
        found |= Q(id_number_digest=print_) | Q(phone_digest=print_)
    return found


def search(rows: QuerySet, names: list[str], term: str) -> tuple[QuerySet, bool]:
    """Those of a large table that the term names: the customer, or a whole value of a field that has an index.

    `names` are the search fields of an admin. What leads over other tables is looked up there first, so that each part
    of the question is one of this table's own indexes. Says too whether more were meant than MOST and the
    rest left out.
    """
    question, cut = Q(pk__in=[]), False
    for name in names:
        part, whole = _part(rows.model, name.lstrip("=^@").split("__"), term)
        question |= part
        cut |= not whole
    if rows.model is Customer:
        return rows.filter(question), cut
    # Found first and sorted then: who goes through them in their order passes all that is newer than what is meant.
    ids = list(
        rows.model._default_manager.filter(question).order_by().values_list("pk", flat=True)[: ROWS + 1]
    )
    return rows.filter(pk__in=ids[:ROWS]), cut or len(ids) > ROWS


def _part(model: type[models.Model], path: list[str], term: str) -> tuple[Q, bool]:
    """The condition of one search field, and whether it is the whole of what the term names."""
    try:
        field: Any = model._meta.get_field("id" if path[0] == "pk" else path[0])
    except FieldDoesNotExist:
        return Q(pk__in=[]), True
    if len(path) == 1:
        return _own(model, field, term), True
    there = field.related_model
    if there is Customer and path[1] == "name":
        found = Customer.objects.filter(customers(term))
    else:
        found = there._default_manager.filter(_part(there, path[1:], term)[0])
    ids = list(found.order_by().values_list("pk", flat=True)[: MOST + 1])
    return Q(**{f"{path[0]}__in": ids[:MOST]}), len(ids) <= MOST


def _own(model: type[models.Model], field: Any, term: str) -> Q:
    if model is Customer and field.name == "name":
        return customers(term)
    if not _indexed(model, field):
        return Q(pk__in=[])
    if isinstance(field, models.IntegerField | models.AutoField):
        number = term.lstrip("ALCDTalcdt").lstrip("0")
        return Q(**{field.name: int(number)}) if number.isdigit() and len(number) < 18 else Q(pk__in=[])
    return Q(**{field.name: term})


def _indexed(model: type[models.Model], field: Any) -> bool:
    first = {index.fields[0] for index in model._meta.indexes if index.fields and index.condition is None}
    return bool(field.primary_key or field.unique or field.db_index or field.name in first)
