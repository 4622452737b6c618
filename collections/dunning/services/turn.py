from django.db import connection

# Any numbers, as long as nobody else uses them.
CASES = 0x64756E6E
REMINDERS = CASES + 1


def take(key: int = CASES) -> None:
    """Wait until no other transaction works on the cases, or plans reminders, and be the only one until this one ends.

    The close and the clock both do it; one at a time they need not step around each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
