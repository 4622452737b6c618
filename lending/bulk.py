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
    columns = [meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    arrays = [[row.pk for row in rows]]
    for column in columns:
        arrays.append([column.get_db_prep_save(getattr(row, column.attname), connection) for row in rows])
    types = [
        column.rel_db_type(connection) if column is meta.pk else column.db_type(connection)
        for column in (meta.pk, *columns)
    ]
    sql = "UPDATE {table} AS t SET {sets} FROM unnest({values}) AS v(pk, {names}) WHERE t.{pk} = v.pk".format(
        table=quote(meta.db_table),
        sets=", ".join(f"{quote(c.column)} = v.{quote(c.column)}" for c in columns),
        values=", ".join(f"%s::{kind}[]" for kind in types),
        names=", ".join(quote(c.column) for c in columns),
        pk=quote(meta.pk.column),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, arrays)
