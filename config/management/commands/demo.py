import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.simulation import run, scenes, summary
from config.simulation.silence import quiet
from lending import clock, roles

PLAN = {"customers": 110, "companies": 12, "months": 7, "seed": 5}


class Command(BaseCommand):
    help = (
        "Load a lively portfolio into an empty database: a simulated past up to today, something on every list, "
        "and people to sign in as. For looking around, never for production."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_PASSWORD:
            raise CommandError(
                "DEMO_PASSWORD must be set: outside DEBUG the people of the demo have no password."
            )
        plan = run.Plan(**PLAN, until=clock.wall_date(), demo=True)
        try:
            run.simulate(plan, run.Bar(self.stderr), os.cpu_count() or 1)
        except run.Refusal as refusal:
            raise CommandError(str(refusal)) from None
        staff = {user.username: user for user in roles.demo_users()}
        with quiet():
            scenes.play(staff, clock.today())
        scenes.log_in(settings.DEMO_PASSWORD)
        token = scenes.connect_platform()
        self.stdout.write(summary.of_the_book())
        self.stdout.write(f"The platform's API token is {token}")
