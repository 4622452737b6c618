import hypothesis
import pytest
from django.conf import settings
from django.utils import translation

from config.local import browser


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says how busy the machine is, not whether the code is right.
    hypothesis.settings.register_profile(
        "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("house")
    # Slow on purpose in production; a test has nobody to protect.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if browser.find():
        return
    skip = pytest.mark.skip(
        reason="no Chromium: `apt-get install chromium`, or set CHROMIUM to the path of one"
    )
    for item in items:
        if "browser" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def in_the_language_of_the_house() -> None:
    """A request leaves its language behind in the thread; whatever test comes next does not speak it."""
    translation.deactivate()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; tests that ask for it are marked `browser`."""
    path = browser.find()
    assert path
    return path
