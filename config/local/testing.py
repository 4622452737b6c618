"""A pytest plugin: `pytest` alone has servers to work on, its own, not those of the demo."""

import os

from config.local import keys
from config.local.__main__ import LOCAL, test_servers

keys.ensure(LOCAL)
os.environ.update(
    test_servers().start(postgres="DATABASE_URL" not in os.environ, redis="REDIS_URL" not in os.environ)
)
