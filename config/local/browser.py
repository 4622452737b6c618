"""Chromium for the browser tests: the machine's own, or Debian's where we may install it."""

import os
import shutil
import subprocess

from config.local.console import say, step

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chinese pages need Chinese letters, or every width in the tests is that of an empty box.
PACKAGES = ("chromium", "fonts-noto-cjk")


def find() -> str | None:
    """The browser to test with: CHROMIUM, or the first one on PATH."""
    given = os.environ.get("CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str | None:
    """Find a browser, installing Debian's when there is none and we are root."""
    if (found := find()) or os.geteuid() != 0 or not shutil.which("apt-get"):
        return found
    with step("Installing Chromium"):
        for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                ["apt-get", "-qq", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
    if done.returncode:
        say("\n".join(done.stderr.splitlines()[-5:]), err=True)
    return find()
