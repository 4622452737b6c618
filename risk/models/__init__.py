from risk.models.company import FinancialStatement
from risk.models.controls import Alert, Appeal, Control
from risk.models.events import CustomerDay, PlatformEvent
from risk.models.scoring import Assessment, Dataset, ModelVersion, PolicyVersion
from risk.models.segment import Segment, in_segment, segment_of

__all__ = [
    "Alert",
    "Appeal",
    "Assessment",
    "Control",
    "CustomerDay",
    "Dataset",
    "FinancialStatement",
    "ModelVersion",
    "PlatformEvent",
    "PolicyVersion",
    "Segment",
    "in_segment",
    "segment_of",
]
