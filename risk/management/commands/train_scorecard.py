import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from lending import clock
from lending.models import BusinessDate, User
from risk.models import ModelVersion, Segment
from risk.services import training

FIGURES = (
    ("auc", "AUC", ".4f"),
    ("ks", "KS", ".4f"),
    ("gini", "Gini", ".4f"),
    ("brier", "Brier", ".4f"),
    ("calibration_slope", "slope", ".3f"),
    ("calibration_intercept", "intercept", "+.3f"),
    ("psi", "PSI", ".4f"),
)


class Command(BaseCommand):
    help = (
        "Train a scorecard for each segment on the applications whose end is known, and keep it for approval. "
        "With --data: learn from any table instead, compare with other models, and keep nothing but a report."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", choices=Segment.values, help="only this one (default: all)")
        parser.add_argument(
            "--as-of", type=_date, help="as if it were this day, YYYY-MM-DD (default: the business date)"
        )
        parser.add_argument(
            "--window", type=int, default=training.WINDOW_DAYS, help="days after booking to judge by"
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed and data give the same card")
        file = parser.add_argument_group("a table of one's own (see docs/training.md)")
        file.add_argument(
            "--data", type=Path, help="a CSV file, plain or gzipped, with a row per case; no database"
        )
        file.add_argument("--target", help="the column that says how a case ended")
        file.add_argument(
            "--positive",
            nargs="+",
            default=[],
            help="its value, or values, that mean bad (default: 1, yes, bad ...)",
        )
        file.add_argument("--time", help="a column of dates or numbers: the last 30%% are tested on")
        file.add_argument(
            "--group", help="a column whose values (people, companies) never stand on both sides"
        )
        file.add_argument("--exclude", nargs="+", action="extend", default=[], help="columns to leave out")
        file.add_argument("--folds", type=int, default=5, help="how many parts without --time (default: 5)")
        file.add_argument(
            "--plain", action="store_true", help="one-column features only: no ratios and no pairs of columns"
        )
        file.add_argument("--report", type=Path, help="a folder for the HTML report and the card as JSON")
        file.add_argument("--json", action="store_true", help="one JSON object on the standard output")
        file.add_argument("--language", choices=[code for code, _name in settings.LANGUAGES])
        parser.add_argument("--author", help="username of who answers for the model and so cannot approve it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["data"]:
            with translation.override(options["language"] or translation.get_language()):
                self._learn(options)
            return
        if given := [name for name in ("target", "report", "time", "group") if options[name]]:
            raise CommandError(f"--{given[0]} goes with --data.")
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

    def _learn(self, options: dict[str, Any]) -> None:
        """From a file: no database, and pandas only here."""
        from risk import history, history_report
        from risk.importing import table
        from risk.importing.files import FileFault

        if not options["target"]:
            raise CommandError(_("Say with --target which column holds the outcome."))
        if not 2 <= options["folds"] <= 50:
            raise CommandError(_("Between 2 and 50 folds, please."))
        extra = {"ratios": 0, "pairs": 0} if options["plain"] else {}
        split = {name: options[name] for name in ("target", "positive", "time", "group", "exclude")}
        try:
            past = table.read(options["data"], **split)
            found = history.learn(
                past, seed=options["seed"], folds=options["folds"], progress=self._progress, **extra
            )
            if options["report"]:
                written = history_report.write(found, options["report"], options["data"].name)
                self.stderr.write(_("Report: %s") % written)
        except FileFault as fault:
            raise CommandError(str(fault)) from None
        except OSError as fault:
            raise CommandError(_("The report cannot be written: %s") % fault) from None
        told = history.as_json(found)
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False, allow_nan=False))
        else:
            self._tell_learned(told)

    def _progress(self, step: str) -> None:
        self.stderr.write(f"... {step}")

    def _tell_learned(self, told: dict[str, Any]) -> None:
        self.stdout.write(
            f"{told['rows']} rows, {told['bad']} bad ({told['bad'] / told['rows']:.1%}), "
            f"{len(told['features'])} features, split: {told['split']}"
        )
        self.stdout.write(f"{'':22}" + "".join(f"{words:>11}" for _name, words, _format in FIGURES))
        for name, model in told["models"].items():
            self.stdout.write(self._figures(name, model))
            for number, fold in enumerate(model["folds"], 1) if len(model["folds"]) > 1 else ():
                self.stdout.write(self._figures(f"  fold {number}", fold))
        for row in told["left_out"]:
            self.stdout.write(f"left out: {row['column']} ({row['why']})")
        for sign in told["warnings"]:
            self.stdout.write(self.style.WARNING(f"! {sign['message']}"))
        card = told["scorecard"]
        self.stdout.write(
            f"card {card['sha256'][:16]}, table equal to the model within {card['table_error']:.0e}"
        )

    def _figures(self, name: str, row: dict[str, Any]) -> str:
        return f"{name:22}" + "".join(f"{format(row[key], form):>11}" for key, _words, form in FIGURES)

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
