"""The migrations build the database that the models describe, triggers and all."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

OURS = ("lending_", "risk_", "dunning_")
SHAPES = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, numeric_precision, is_generated
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'p', 'u', 'f')
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, split_part(tgname, '_', 1), tgdeferrable, tgtype
        FROM pg_trigger WHERE NOT tgisinternal
    """,
}


def shape(cursor: object, query: str) -> set[tuple]:
    cursor.execute(query)  # type: ignore[attr-defined]
    return {row for row in cursor.fetchall() if row[0].startswith(OURS)}  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.django_db
def test_migrations_and_models_build_the_same_database() -> None:
    name = f"{connection.settings_dict['NAME']}_migrated"
    url = settings.DATABASE_URL
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        with psycopg.connect(url, dbname=name) as target:
            parts = target.info.get_parameters()
            query = "&".join(f"{key}={parts[key]}" for key in ("host", "port", "user") if key in parts)
        environment = {
            **os.environ,
            "DATABASE_URL": f"postgresql:///{name}?{query}",
            "PGTRIGGER_INSTALL_ON_MIGRATE": "0",
        }
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=True)
        with psycopg.connect(url, dbname=name) as migrated, connection.cursor() as built:
            for what, query in SHAPES.items():
                assert shape(migrated.cursor(), query) == shape(built, query), what
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
