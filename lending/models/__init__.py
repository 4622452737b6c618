from lending.models.application import Application, Document, Offer
from lending.models.bank import BankLine, BankStatement
from lending.models.books import AccountDay, AccountingPeriod, ControlBalance, InterestSuspension
from lending.models.calendar import BusinessDate, BusinessDay
from lending.models.chart import Account, AccountMapping, Role
from lending.models.classes import AssetClass
from lending.models.close import CloseException, DayClose
from lending.models.collateral import Collateral
from lending.models.contract import ContractDocument
from lending.models.customer import Consent, Customer, Industry
from lending.models.downgrade import Downgrade
from lending.models.glance import DayGlance
from lending.models.history import BookMonth, ConcentrationMonth, LoanSnapshot, RollMonth, VintageMonth
from lending.models.house import (
    ApiRequest,
    ApprovalRequest,
    Event,
    Notice,
    NoticeTemplate,
    RuleParameter,
)
from lending.models.ledger import JournalEntry, JournalLine
from lending.models.limit_offer import LimitOffer
from lending.models.line import CreditLine, LimitChange, LineHold, Purchase, TemporaryLimit
from lending.models.loan import Instalment, Loan, Payment, Statement, Transaction
from lending.models.mandate import Debit, DebitAttempt, Mandate, MandateAccount
from lending.models.payin import PaymentFile, PaymentRow, UnappliedMoney, UnappliedMove
from lending.models.product import Product
from lending.models.provision import DefaultRate, LoanProvision, ProvisionMonth, Stage
from lending.models.relief import ReliefRequest
from lending.models.user import User

__all__ = [
    "Account",
    "AccountDay",
    "AccountMapping",
    "AccountingPeriod",
    "ApiRequest",
    "Application",
    "ApprovalRequest",
    "AssetClass",
    "BankLine",
    "BankStatement",
    "BookMonth",
    "BusinessDate",
    "BusinessDay",
    "CloseException",
    "Collateral",
    "ConcentrationMonth",
    "Consent",
    "ContractDocument",
    "ControlBalance",
    "CreditLine",
    "Customer",
    "DayClose",
    "DayGlance",
    "Debit",
    "DebitAttempt",
    "DefaultRate",
    "Document",
    "Downgrade",
    "Event",
    "Industry",
    "Instalment",
    "InterestSuspension",
    "JournalEntry",
    "JournalLine",
    "LimitChange",
    "LimitOffer",
    "LineHold",
    "Loan",
    "LoanProvision",
    "LoanSnapshot",
    "Mandate",
    "MandateAccount",
    "Notice",
    "NoticeTemplate",
    "Offer",
    "Payment",
    "PaymentFile",
    "PaymentRow",
    "Product",
    "ProvisionMonth",
    "Purchase",
    "ReliefRequest",
    "RollMonth",
    "Role",
    "RuleParameter",
    "Stage",
    "Statement",
    "TemporaryLimit",
    "Transaction",
    "UnappliedMoney",
    "UnappliedMove",
    "User",
    "VintageMonth",
]
