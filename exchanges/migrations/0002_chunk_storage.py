"""Chunks are compressed already: the server must not try again on every write and read."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exchanges", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE exchanges_candlechunk ALTER COLUMN data SET STORAGE EXTERNAL",
            "ALTER TABLE exchanges_candlechunk ALTER COLUMN data SET STORAGE EXTENDED",
        ),
    ]
