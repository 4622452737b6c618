from datetime import date, datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from lending import clock
from lending.models import BusinessDate, User
from risk.models import ModelVersion, Segment
from risk.services import training


class Command(BaseCommand):
    help = (
        "Train a scorecard for each segment on the applications whose end is known, and keep it for approval."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", choices=Segment.values, help="only this one (default: both)")
        parser.add_argument(
            "--as-of", type=_date, help="as if it were this day, YYYY-MM-DD (default: the business date)"
        )
        parser.add_argument(
            "--window", type=int, default=training.WINDOW_DAYS, help="days after booking to judge by"
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed and data give the same card")
        parser.add_argument("--author", help="username of who answers for the model and so cannot approve it")

    def handle(self, *args: Any, **options: Any) -> None:
        author = _author(options["author"])
        try:
            day = options["as_of"] or clock.today()
        except BusinessDate.DoesNotExist:
            raise CommandError("The books are not open yet: there is nothing to learn from.") from None
        as_of = timezone.make_aware(datetime.combine(day, time(0)))
        segments = [options["segment"]] if options["segment"] else Segment.values
        trained = [one for segment in segments if (one := self._train(segment, as_of, author, options))]
        if not trained:
            raise CommandError("Nothing was trained.")

    def _train(
        self, segment: str, as_of: datetime, author: User | None, options: dict[str, Any]
    ) -> ModelVersion | None:
        try:
            model = training.train(
                segment=segment,
                as_of=as_of,
                at=clock.now(),
                by=author,
                seed=options["seed"],
                window_days=options["window"],
            )
        except training.TooLittleData as lack:
            self.stderr.write(self.style.WARNING(f"{segment}: too little data. {lack}"))
            return None
        self._tell(model)
        return model

    def _tell(self, model: ModelVersion) -> None:
        self.stdout.write(self.style.SUCCESS(f"{model}: {model.state}, {model.sha256[:16]}"))
        for part in ("train", "test"):
            found = model.metrics[part]
            self.stdout.write(
                f"  {part:5} {found['rows']:6} rows  bad {found['bad_rate']:.1%}  AUC {found['auc']:.3f}  "
                f"KS {found['ks']:.3f}  Brier {found['brier']:.4f}  mean PD {found['mean_pd']:.1%}"
            )
        for finding in model.metrics["findings"]:
            self.stdout.write(self.style.WARNING(f"  {finding}"))
        if model.state == ModelVersion.State.DRAFT:
            self.stdout.write("  It stays a draft: it cannot be used.")
        else:
            self.stdout.write("  A second person promotes it in the admin, under Risk, Models.")


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _author(username: str | None) -> User | None:
    if not username:
        return None
    try:
        return User.objects.get(username=username, is_staff=True)
    except User.DoesNotExist:
        raise CommandError(f"There is no member of staff called {username}.") from None
