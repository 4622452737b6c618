"""Writing many rows at once, in one statement however many they are."""

from collections.abc import Sequence

from django.db import connection, models


def update_many(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named fields of saved rows of one model.

    One `UPDATE ... FROM unnest(...)`: unlike `bulk_update`, whose CASE per row and column grows with the square of
    the batch, its cost is linear.
    """
    if not rows:
        return
    meta = rows[0]._meta
    key = meta.pk
    assert key is not None
    columns = [field for name in names if isinstance(field := meta.get_field(name), models.Field)]
    quote = connection.ops.quote_name
    arrays = [[row.pk for row in rows]]
    for column in columns:
        arrays.append([column.get_db_prep_save(getattr(row, column.attname), connection) for row in rows])
    types = [key.rel_db_type(connection), *(column.db_type(connection) for column in columns)]
    # Every name is a column of the model, quoted; every value goes in as a parameter.
    sql = "UPDATE {table} AS t SET {sets} FROM unnest({values}) AS v(pk, {names}) WHERE t.{pk} = v.pk".format(  # noqa: S608
        table=quote(meta.db_table),
        sets=", ".join(f"{quote(c.column)} = v.{quote(c.column)}" for c in columns if c.column),
        values=", ".join(f"%s::{kind}[]" for kind in types),
        names=", ".join(quote(c.column) for c in columns if c.column),
        pk=quote(key.column or key.name),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, arrays)
