"""Models are trained on what has come to pass, and put in charge by a second person."""

from collections.abc import Mapping
from datetime import date

from config.simulation.cast import moment
from lending.models import User
from lending.shares import Share
from risk.models import ModelVersion, Segment
from risk.services import models, training

# A longer window says more about a customer; a young book has to make do with a shorter one.
WINDOWS = (180, 150, 120)
FIRST, NEXT = 4, 4  # months until the first training, and between two


class Learning:
    """Of the segments, those whose number is in the share."""

    def __init__(self, start: date, staff: Mapping[str, User], share: Share) -> None:
        self._start, self._staff = start, staff
        mine = [segment for number, segment in enumerate(Segment.values) if number in share]
        self._due = dict.fromkeys(mine, FIRST)

    def morning(self, on: date) -> None:
        """On the first of a month the analyst trains what is due, once enough has come to pass; where the model ranks
        no better than chance, a month later again."""
        month = round((on - self._start).days / 30.4)
        for segment, due in list(self._due.items()):
            model = self._train(segment, on) if month >= due else None
            if model and model.state == ModelVersion.State.VALIDATED:
                self._due[segment] = month + NEXT
                self._put_in_place(model, on)

    def _train(self, segment: str, on: date) -> ModelVersion | None:
        for window in WINDOWS:
            try:
                return training.train(
                    segment=segment,
                    as_of=moment(on, 0),
                    at=moment(on, 7),
                    by=self._staff["risk_analyst"],
                    window_days=window,
                )
            except training.TooLittleData:
                continue
        return None

    def _put_in_place(self, model: ModelVersion, on: date) -> None:
        """The first model that ranks becomes champion, by the word of a second person; later ones score in its
        shadow."""
        champion = ModelVersion.objects.filter(segment=model.segment, state=ModelVersion.State.CHAMPION)
        if champion.exists():
            models.challenge(model_id=model.pk, by=self._staff["risk_analyst"], at=moment(on, 8))
        else:
            models.promote(model_id=model.pk, by=self._staff["senior_approver"], at=moment(on, 8))
