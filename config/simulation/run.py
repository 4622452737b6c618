"""One run of the simulation: the checks before it, the staff for it, and what it came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from time import monotonic
from typing import Any

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _

from config.simulation import story, world
from config.simulation.silence import quiet
from lending.models import BusinessDate, Customer, User
from lending.roles import ROLES

MONTH = 365 / 12  # days


class Refusal(Exception):
    """A plan that makes no sense, or a database that holds something already."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; `until` is the last business day, which stays open."""

    customers: int
    companies: int
    months: int
    seed: int
    until: date
    demo: bool = False

    @property
    def start(self) -> date:
        return self.until - timedelta(days=round(self.months * MONTH))

    def check(self) -> None:
        if min(self.customers, self.companies) < 0 or self.customers + self.companies < 1:
            raise Refusal(_("There must be at least one customer or company."))
        if not 1 <= self.months <= 60:
            raise Refusal(_("Simulate between 1 and 60 months."))


class Bar:
    """A line on the terminal that says how far it is; silent where nobody looks."""

    WIDTH = 30

    def __init__(self, out: Any) -> None:
        self._out, self._since = out, monotonic()
        self._shown = -1

    def __call__(self, what: str, done: int, of: int) -> None:
        share = done * 100 // of
        if share == self._shown and done < of:
            return
        self._shown = share
        filled = "#" * (self.WIDTH * done // of)
        text = f"{what:10} [{filled:{self.WIDTH}}] {share:3}%  {monotonic() - self._since:5.0f} s"
        self._out.write(f"\r{text}" if done < of else f"\r{text}\n", ending="")
        self._out.flush()


def simulate(plan: Plan, progress: story.Progress, workers: int = 1) -> None:
    """Live through the plan. Raises Refusal before anything is written."""
    plan.check()
    refuse_unless_empty()
    place = world.build(
        plan.seed,
        plan.customers,
        plan.companies,
        plan.start,
        plan.until,
        with_characters=plan.demo,
    )
    with quiet():
        story.live(place, staff(), progress, workers, pilot=plan.demo)


def refuse_unless_empty() -> None:
    if Customer.objects.exists() or BusinessDate.objects.exists():
        raise Refusal(
            _(
                "This database has customers or open books already, and a simulated past cannot be put before them. "
                "Give it an empty database: stop the site, drop and create the database that DATABASE_URL names, "
                "and run `manage.py migrate`; on your own machine, remove .local/ and run `make setup`."
            )
        )


def staff() -> Mapping[str, User]:
    """One person per role, who cannot sign in unless the demo gives them a password."""
    return {role: _member(role) for role in ROLES}


def _member(role: str) -> User:
    user, made = User.objects.get_or_create(
        username=role, defaults={"email": f"{role}@example.com", "is_staff": True}
    )
    if made:
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name=role))
    return user
