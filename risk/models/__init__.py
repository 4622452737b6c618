from risk.models.company import FinancialStatement
from risk.models.controls import Alert, Appeal, Control
from risk.models.events import CustomerDay, PlatformEvent
from risk.models.monitoring import Artefact, ModelReview, Reading
from risk.models.scoring import Assessment, Dataset, ModelVersion, PolicyVersion, Segment

__all__ = [
    "Alert",
    "Appeal",
    "Artefact",
    "Assessment",
    "Control",
    "CustomerDay",
    "Dataset",
    "FinancialStatement",
    "ModelReview",
    "ModelVersion",
    "PlatformEvent",
    "PolicyVersion",
    "Reading",
    "Segment",
]
