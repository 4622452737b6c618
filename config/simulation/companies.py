"""The companies around the platform: suppliers and dealers with figures, invoices, goods and returns."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from config.simulation import papers
from config.simulation.people import hard_times
from config.simulation.shopping import DISPUTE, ORDER, RETURN, Act, moment
from config.simulation.streams import poisson, stream

INVOICE, INVOICE_PAID = "INVOICE", "INVOICE_PAID"
GOODS_RECEIVED, GOODS_REJECTED = "GOODS_RECEIVED", "GOODS_REJECTED"
# How an industry does (0 to 1), and how many of the companies are in it.
HEALTH = {"A": 0.5, "C": 0.55, "E": 0.3, "F": 0.55, "G": 0.5, "H": 0.4, "I": 0.65, "L": 0.6}
WEIGHT = {"A": 4, "C": 34, "E": 10, "F": 26, "G": 10, "H": 5, "I": 7, "L": 4}
PRODUCTS = {"purchase-line": 0.5, "working-capital": 0.3, "supplier-advance": 0.2}
TERM_OF_PAYMENT = 45  # days
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Company:
    """As with people, `quality` shows only in figures, deliveries and payments; `revenue` is a year's."""

    number: int
    ref: str
    name: str
    quality: float
    industry: str
    region: str
    revenue: Decimal
    product: str
    registered_on: date
    hard_times: tuple[tuple[date, date], ...]

    applies_after = None
    cash_out = False
    is_student = False
    monthly_income = None
    language = "zh-hans"

    @property
    def id_number(self) -> str:
        return papers.credit_code(self.number, self.region)

    @property
    def phone(self) -> str:
        return papers.phone(50_000_000 + self.number)

    @property
    def email(self) -> str:
        return f"{self.ref.lower()}@example.com"

    def in_hard_times(self, on: date) -> bool:
        return any(start <= on < end for start, end in self.hard_times)


def company(seed: int, number: int, start: date, end: date) -> Company:
    """The company of that number in the world of that seed."""
    rng = stream(seed, "company", number)
    industry = rng.choices(tuple(WEIGHT), tuple(WEIGHT.values()))[0]
    quality = min(1.0, max(0.0, rng.betavariate(2.6, 1.8) + 0.5 * (HEALTH[industry] - 0.5)))
    region = rng.choice(tuple(papers.PLACES))
    return Company(
        number=number,
        ref=f"C{number:05d}",
        name=papers.company_name(rng, region, industry),
        quality=quality,
        industry=industry,
        region=region,
        revenue=Decimal(round(rng.lognormvariate(16.2, 0.7), -4)),
        product=rng.choices(tuple(PRODUCTS), tuple(PRODUCTS.values()))[0],
        registered_on=start - timedelta(days=rng.randint(200, 3500)),
        hard_times=tuple(hard_times(seed, f"C{number}", quality, start, end)),
    )


def figures(seed: int, company: Company, year: int) -> dict[str, str]:
    """What the company files for that year, in the currency's unit: good firms earn more and owe less."""
    rng = stream(seed, "figures", company.number, year)
    quality = min(1.0, max(0.0, company.quality + rng.gauss(0, 0.2)))
    revenue = float(company.revenue) * rng.uniform(0.85, 1.1)
    assets = revenue * rng.uniform(0.6, 1.1)
    debt = assets * min(0.97, max(0.1, 0.92 - 0.55 * quality + rng.gauss(0, 0.06)))
    current_debt = debt * rng.uniform(0.6, 0.85)
    current_assets = min(assets * 0.9, current_debt * (0.7 + 1.1 * quality + rng.gauss(0, 0.12)))
    ebit = revenue * (-0.02 + 0.13 * quality + rng.gauss(0, 0.02))
    interest = debt * 0.045
    found = {
        "revenue": revenue,
        "net_profit": ebit - interest - max(0.0, ebit - interest) * 0.25,
        "ebit": ebit,
        "interest_expense": interest,
        "total_assets": assets,
        "current_assets": current_assets,
        "total_liabilities": debt,
        "current_liabilities": current_debt,
    }
    return {name: f"{value:.2f}" for name, value in found.items()}


def acts(seed: int, company: Company, start: date, end: date) -> list[Act]:
    """What the platform sees of the company: goods bought, goods invoiced and paid for, goods sent back, quarrels."""
    rng = stream(seed, "trade", company.number)
    found: list[Act] = []
    for ahead in range((end - start).days + 1):
        day = start + timedelta(days=ahead)
        slow = 0.5 if company.in_hard_times(day) else 1.0
        for _ in range(poisson(rng, 0.11 * slow)):
            found += _invoice(rng, company, f"{company.ref}-i{len(found):05d}", day)
        for _ in range(poisson(rng, 0.05 * slow)):
            found += _stock(rng, company, f"{company.ref}-s{len(found):05d}", day)
    return found + _supply(seed, company, [act for act in found if act.kind == INVOICE])


def _supply(seed: int, company: Company, invoices: list[Act]) -> list[Act]:
    """What was delivered for each invoice, and to whom: the worse the firm, the later, the more comes back, and the
    fewer its buyers. A stream of its own, so that what is drawn here moves nothing else."""
    rng = stream(seed, "supply", company.number)
    buyers = 1 + int(5 * rng.betavariate(1 + 2 * company.quality, 2))
    found: list[Act] = []
    for invoice in invoices:
        assert invoice.amount is not None, "an invoice has an amount"
        buyer = min(rng.randrange(buyers), rng.randrange(buyers))  # the first buys most
        invoice.data["buyer"] = f"B{buyer + 1}"
        late = rng.random() < 0.05 + 0.4 * (1 - company.quality) ** 2
        received = invoice.moment - timedelta(days=rng.randint(1, 5))
        told = {"late": True} if late else {}
        ref = invoice.ref
        found.append(Act(f"{ref}-g", GOODS_RECEIVED, company.ref, received, ref, invoice.amount, told))
        if rng.random() < 0.02 + 0.25 * (1 - company.quality) ** 2:
            back = (invoice.amount * Decimal(rng.randint(1, 6)) / 10).quantize(CENT)
            sent = invoice.moment + timedelta(days=rng.randint(1, 12))
            found.append(Act(f"{ref}-b", GOODS_REJECTED, company.ref, sent, ref, back))
    return found


def _invoice(rng: Random, company: Company, ref: str, day: date) -> list[Act]:
    """An invoice is paid after the usual term; the worse the goods, the later, and sometimes not at all."""
    amount = _money(rng, company, 0.006)
    found = [Act(ref, INVOICE, company.ref, moment(rng, day), ref, amount)]
    if rng.random() < 0.5 * (1 - company.quality) ** 2:
        found.append(Act(f"{ref}-c", DISPUTE, company.ref, moment(rng, day + timedelta(days=9)), ref))
    if rng.random() < 0.985:
        wait = TERM_OF_PAYMENT + int(rng.expovariate(1 / (1 + 30 * (1 - company.quality) ** 2)))
        paid_at = moment(rng, day + timedelta(days=wait))
        found.append(Act(f"{ref}-p", INVOICE_PAID, company.ref, paid_at, ref, amount))
    return found


def _stock(rng: Random, company: Company, ref: str, day: date) -> list[Act]:
    amount = _money(rng, company, 0.01)
    found = [Act(f"{ref}-o", ORDER, company.ref, moment(rng, day), ref, amount, {"category": "STOCK"})]
    if rng.random() < 0.02 + 0.15 * (1 - company.quality) ** 2:
        share = Decimal(rng.randint(1, 6)) / 10
        back = moment(rng, day + timedelta(days=rng.randint(4, 20)))
        found.append(Act(f"{ref}-r", RETURN, company.ref, back, ref, (amount * share).quantize(CENT)))
    return found


def _money(rng: Random, company: Company, share: float) -> Decimal:
    return Decimal(f"{float(company.revenue) * share * rng.lognormvariate(0, 0.4):.2f}")
