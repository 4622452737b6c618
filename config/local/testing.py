"""A pytest plugin: `pytest` alone has servers to work on, its own, not those of the demo."""

import os

from config import env, messages
from config.local import keys
from config.local.servers import LOCAL, test_servers

keys.ensure(LOCAL)
messages.compile_all()
# Test databases are built from the models (--no-migrations), in seconds; the triggers come after the tables. That the
# migrations build the same database is a test of its own, tests/test_migrations.py.
os.environ["PGTRIGGER_INSTALL_ON_MIGRATE"] = "1"
# The cores are shared by the processes of pytest: threads within each would only wait for one another, for minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Each process of pytest has its own corner of Redis, so that none takes another's messages.
os.environ["REDIS_PREFIX"] = f"test-{os.getpid()}-"
os.environ.update(
    test_servers().start(postgres=not env.text("DATABASE_URL"), redis=not env.text("REDIS_URL"))
)
