from risk.models.company import FinancialStatement
from risk.models.controls import Alert, Appeal, Control
from risk.models.dry_run import DryRun, DryRunCase
from risk.models.enquiries import Enquiry, EnquiryResult
from risk.models.events import CustomerDay, PlatformEvent
from risk.models.failures import ScoringFailure
from risk.models.monitoring import Artefact, ModelReview, Reading
from risk.models.reviews import BehaviourScore, LineReview, ReviewDay, ScoreChunk, ScoreNight
from risk.models.scoring import Assessment, Dataset, ModelVersion, PolicyVersion
from risk.models.segment import Segment, in_segment, segment_of
from risk.models.waivers import FeatureWaiver

__all__ = [
    "Alert",
    "Appeal",
    "Artefact",
    "Assessment",
    "BehaviourScore",
    "Control",
    "CustomerDay",
    "Dataset",
    "DryRun",
    "DryRunCase",
    "Enquiry",
    "EnquiryResult",
    "FeatureWaiver",
    "FinancialStatement",
    "LineReview",
    "ModelReview",
    "ModelVersion",
    "PlatformEvent",
    "PolicyVersion",
    "Reading",
    "ReviewDay",
    "ScoreChunk",
    "ScoreNight",
    "ScoringFailure",
    "Segment",
    "in_segment",
    "segment_of",
]
