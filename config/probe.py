"""python -m config.probe: asks this container's own web server whether it is fit to serve; exit code 0 says yes."""

import http.client
import os
import sys

from config import env


def fit() -> bool:
    # Django answers only to the names it was given, so ask under the first of them.
    host = next(iter(env.words("ALLOWED_HOSTS", "localhost"))).lstrip(".*") or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", env.number("PORT", 8000), timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if fit() else os.EX_UNAVAILABLE)
