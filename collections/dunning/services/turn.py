from django.db import connection

# Any number, as long as nobody else uses it.
KEY = 0x64756E6E


def take() -> None:
    """Wait until no other transaction plans collections, and be the only one until this one ends.

    The close and the clock both open cases and plan contacts; one at a time they need not step around each
    other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [KEY])
