"""What the daily close knows about how bad a loan is: dated facts, written only when they change."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending.engine.classes import NON_PERFORMING


class AssetClass(models.IntegerChoices):
    """The five tiers 五级分类; the last three are non-performing."""

    NORMAL = 1, _("Normal")
    SPECIAL_MENTION = 2, _("Special mention")
    SUBSTANDARD = 3, _("Substandard")
    DOUBTFUL = 4, _("Doubtful")
    LOSS = 5, _("Loss")


# The loans that the close looks at though nothing of theirs is overdue. The partial index of the same words serves
# it, so a statement must say it in these words.
MARKED = Q(bucket__gt=0) | Q(own_class__gt=1) | Q(asset_class__gt=1) | Q(watch_until__isnull=False)
MARKED_SQL = "(l.bucket > 0 OR l.own_class > 1 OR l.asset_class > 1 OR l.watch_until IS NOT NULL)"

INDEXES = [
    models.Index(fields=["id"], condition=MARKED, name="loan_marked"),
    models.Index(fields=["moved_on"], condition=Q(moved_on__isnull=False), name="loan_moved"),
]


class Classified(models.Model):
    """The columns of a loan that the close classifies, as of the end of the day closed last."""

    bucket = models.PositiveSmallIntegerField(_("bucket"), default=0, db_default=0)
    peak_bucket = models.PositiveSmallIntegerField(_("worst bucket so far"), default=0, db_default=0)
    # By itself; the class of record may be worse, for the sake of the customer's other loans.
    own_class = models.PositiveSmallIntegerField(
        _("class by itself"), choices=AssetClass, default=AssetClass.NORMAL, db_default=1
    )
    asset_class = models.PositiveSmallIntegerField(
        _("class"), choices=AssetClass, default=AssetClass.NORMAL, db_default=1
    )
    class_since = models.DateField(_("in this class since"), null=True, blank=True)
    non_performing_since = models.DateField(_("non-performing since"), null=True, blank=True)
    # The day of the last change of any of these: what the history of the day is made of.
    moved_on = models.DateField(_("bucket or class last changed on"), null=True, blank=True)
    watch_until = models.DateField(
        _("watched until"),
        null=True,
        blank=True,
        help_text=_("restructured: no better class before that day"),
    )

    class Meta:
        abstract = True

    @property
    def is_non_performing(self) -> bool:
        return self.asset_class >= NON_PERFORMING


CONSTRAINTS = [
    models.CheckConstraint(
        condition=Q(own_class__range=(1, 5), asset_class__range=(1, 5)), name="loan_class_known"
    ),
    models.CheckConstraint(
        condition=Q(asset_class__lt=3, non_performing_since=None)
        | Q(asset_class__gte=3, non_performing_since__isnull=False),
        name="loan_non_performing_since_a_day",
    ),
]
