"""The loan engine: arithmetic and decisions on plain values. No Django, no clock, no settings, no I/O."""

from lending.engine.allocation import Allocation, Rule
from lending.engine.cost import AnnualCost, Charge, annual_cost, apr
from lending.engine.errors import EventError, TermsError
from lending.engine.periods import on_working_days
from lending.engine.replay import payoff, replay
from lending.engine.schedule import Row, schedule
from lending.engine.split import allocate
from lending.engine.state import Event, InstalmentState, LoanState, Overdue, Payoff, Position, Split
from lending.engine.terms import Method, Terms, Unit

__all__ = [
    "Allocation",
    "AnnualCost",
    "Charge",
    "Event",
    "EventError",
    "InstalmentState",
    "LoanState",
    "Method",
    "Overdue",
    "Payoff",
    "Position",
    "Row",
    "Rule",
    "Split",
    "Terms",
    "TermsError",
    "Unit",
    "allocate",
    "annual_cost",
    "apr",
    "on_working_days",
    "payoff",
    "replay",
    "schedule",
]
