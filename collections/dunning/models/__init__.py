from dunning.models.case import Case, Dispute
from dunning.models.contact import Contact, DayCount, StopRequest
from dunning.models.legal import LegalCost, LegalDocument, LegalMatter
from dunning.models.promise import Promise
from dunning.models.strategy import Strategy, StrategyStep

__all__ = [
    "Case",
    "Contact",
    "DayCount",
    "Dispute",
    "LegalCost",
    "LegalDocument",
    "LegalMatter",
    "Promise",
    "StopRequest",
    "Strategy",
    "StrategyStep",
]
