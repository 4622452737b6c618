from django.db import migrations

from lending import partitions


def install(apps, schema_editor):
    snapshots = apps.get_model("lending", "LoanSnapshot")
    partitions.install([(snapshots, "date")], schema_editor)


class Migration(migrations.Migration):
    dependencies = [("lending", "0009_history")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
