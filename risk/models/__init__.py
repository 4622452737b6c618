from risk.models.company import FinancialStatement
from risk.models.controls import Alert, Appeal, Control
from risk.models.dry_run import DryRun, DryRunCase
from risk.models.events import CustomerDay, PlatformEvent
from risk.models.scoring import Assessment, Dataset, ModelVersion, PolicyVersion, Segment

__all__ = [
    "Alert",
    "Appeal",
    "Assessment",
    "Control",
    "CustomerDay",
    "Dataset",
    "DryRun",
    "DryRunCase",
    "FinancialStatement",
    "ModelVersion",
    "PlatformEvent",
    "PolicyVersion",
    "Segment",
]
