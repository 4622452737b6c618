from django.db import migrations, models

# As lending.services.posting.materialise says it: from the due date before, or the end of the interest-free days.
FILL = """
UPDATE lending_instalment i SET accrues_from = known.accrues_from
FROM (
    SELECT o.id, GREATEST(
        MAX(o.due_on) OVER (PARTITION BY o.loan_id ORDER BY o.number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        l.disbursed_on + COALESCE((l.terms ->> 'interest_free_days')::int, 0)
    ) AS accrues_from
    FROM lending_instalment o JOIN lending_loan l ON l.id = o.loan_id
) known
WHERE known.id = i.id
"""

MARKED = (
    models.Q(bucket__gt=0)
    | models.Q(own_class__gt=1)
    | models.Q(asset_class__gt=1)
    | models.Q(watch_until__isnull=False)
)


class Migration(migrations.Migration):
    dependencies = [("lending", "0002_whole_house")]

    operations = [
        migrations.AddField(
            "instalment",
            "accrues_from",
            models.DateField(null=True, verbose_name="interest accrues from"),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            "instalment", "accrues_from", models.DateField(verbose_name="interest accrues from")
        ),
        migrations.RemoveIndex("instalment", "instalment_due"),
        migrations.AddIndex(
            "instalment",
            models.Index(
                fields=["due_on", "loan"], include=["accrues_from", "interest"], name="instalment_due"
            ),
        ),
        migrations.AddIndex(
            "instalment",
            models.Index(
                fields=["due_on", "loan"],
                condition=models.Q(due_on__gt=models.F("accrues_from") + 31),
                name="instalment_long",
            ),
        ),
        # The close reads both by index alone where nothing has changed since the last vacuum: one for each day.
        migrations.RunSQL(
            "ALTER TABLE lending_instalment SET (autovacuum_vacuum_scale_factor = 0.01);"
            "ALTER TABLE lending_loan SET (autovacuum_vacuum_scale_factor = 0.01)",
            "ALTER TABLE lending_instalment RESET (autovacuum_vacuum_scale_factor);"
            "ALTER TABLE lending_loan RESET (autovacuum_vacuum_scale_factor)",
        ),
        # Read by ranges of loans.
        migrations.RemoveIndex("loan", "loan_marked"),
        migrations.AddIndex("loan", models.Index(fields=["id"], condition=MARKED, name="loan_marked")),
    ]
