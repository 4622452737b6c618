"""Production refuses to start half-configured."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.local import checks

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def elsewhere(tmp_path):
    """The settings without the secrets of this machine."""
    ignored = shutil.ignore_patterns("local", "__pycache__", "management", "simulation")
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=ignored)
    return tmp_path


def load(folder: Path, environment: dict[str, str], show: str = "True"):
    program = f"import sys; sys.path.append({str(folder)!r}); from config import settings as s; print({show})"
    return subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "missing", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "FIELD_DIGEST_KEY", "DATABASE_URL", "REDIS_URL"]
)
def test_a_missing_secret_or_address_stops_the_start(elsewhere, missing):
    done = load(elsewhere, checks.production() | {missing: ""})
    assert done.returncode == 1
    assert f"{missing} is not set" in done.stderr


def test_a_port_that_is_no_number_is_named(elsewhere):
    done = load(elsewhere, checks.production() | {"PORT": "http"})
    assert "PORT must be a whole number, not 'http'" in done.stderr


def test_production_is_the_default_and_keeps_its_cookies_for_https(elsewhere):
    environment = checks.production()
    del environment["DEBUG"]
    shown = "s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT"
    done = load(elsewhere, environment, shown)
    assert done.stdout.split() == ["False", "True", "True", "True"], done.stderr


def test_the_key_that_encrypts_comes_first(elsewhere):
    done = load(
        elsewhere, checks.production() | {"FIELD_ENCRYPTION_KEYS": "new, old"}, "s.FIELD_ENCRYPTION_KEYS"
    )
    assert done.stdout.strip() == "['new', 'old']"
