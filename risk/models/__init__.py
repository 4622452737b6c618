from risk.models.company import FinancialStatement
from risk.models.controls import Alert, Appeal, Control
from risk.models.enquiries import Enquiry, EnquiryResult
from risk.models.events import CustomerDay, PlatformEvent
from risk.models.failures import ScoringFailure
from risk.models.reviews import BehaviourScore, LineReview, ReviewDay, ScoreChunk, ScoreNight
from risk.models.scoring import Assessment, Dataset, ModelVersion, PolicyVersion, Segment
from risk.models.waivers import FeatureWaiver

__all__ = [
    "Alert",
    "Appeal",
    "Assessment",
    "BehaviourScore",
    "Control",
    "CustomerDay",
    "Dataset",
    "Enquiry",
    "EnquiryResult",
    "FeatureWaiver",
    "FinancialStatement",
    "LineReview",
    "ModelVersion",
    "PlatformEvent",
    "PolicyVersion",
    "ReviewDay",
    "ScoreChunk",
    "ScoreNight",
    "ScoringFailure",
    "Segment",
]
