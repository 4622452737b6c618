"""Reference data: the chart of accounts, industries, and the numbers that law and policy set.

Installed after every migrate and safe to run again: rows that exist are left as staff have edited them.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from lending import notice_templates
from lending.models import Account, AccountMapping, Industry, Product, Role, RuleParameter

ASSET, LIABILITY, EQUITY, INCOME, EXPENSE = Account.Kind.values

ACCOUNTS = [
    ("1002", ASSET, "Bank", "银行存款"),
    ("1132", ASSET, "Interest receivable", "应收利息"),
    ("1133", ASSET, "Fees receivable", "应收手续费"),
    ("1134", ASSET, "Penalties receivable", "应收罚息"),
    ("1136", ASSET, "Interest accrued, not yet billed", "应计利息"),
    ("1137", ASSET, "Interest in suspense", "停息利息(应收利息备抵)"),
    ("1138", ASSET, "Fees in suspense", "停息手续费(应收手续费备抵)"),
    ("1139", ASSET, "Penalties in suspense", "停息罚息(应收罚息备抵)"),
    ("1303", ASSET, "Loans, principal", "贷款本金"),
    ("1304", ASSET, "Provision for credit losses", "贷款损失准备"),
    ("1305", ASSET, "Loans, principal overdue", "逾期贷款本金"),
    ("1306", ASSET, "Loans, principal non-performing", "不良贷款本金"),
    ("1307", ASSET, "Loans, principal shown elsewhere", "贷款本金转列(备抵)"),
    ("2202", LIABILITY, "Payable to merchants", "应付商户款"),
    ("2241", LIABILITY, "Customers' credit balances", "客户溢缴款"),
    ("2245", LIABILITY, "Money not yet applied", "待核销收款"),
    ("4001", EQUITY, "Paid-in capital", "实收资本"),
    ("6011", INCOME, "Interest income", "利息收入"),
    ("6021", INCOME, "Fee income", "手续费收入"),
    ("6031", INCOME, "Penalty income", "罚息收入"),
    ("6302", INCOME, "Recoveries of written-off loans", "已核销贷款收回"),
    ("6701", EXPENSE, "Credit losses", "信用减值损失"),
    ("6711", EXPENSE, "Goodwill credits", "客户补偿支出"),
]

# The account that plays each role until an accountant says otherwise.
CHART: dict[str, str] = {
    Role.BANK: "1002",
    Role.INTEREST_RECEIVABLE: "1132",
    Role.FEE_RECEIVABLE: "1133",
    Role.PENALTY_RECEIVABLE: "1134",
    Role.ACCRUED_INTEREST: "1136",
    Role.SUSPENDED_INTEREST: "1137",
    Role.SUSPENDED_FEES: "1138",
    Role.SUSPENDED_PENALTIES: "1139",
    Role.PRINCIPAL: "1303",
    Role.PROVISION: "1304",
    Role.OVERDUE: "1305",
    Role.NON_PERFORMING: "1306",
    Role.RECLASSIFIED: "1307",
    Role.MERCHANTS: "2202",
    Role.CREDIT_BALANCES: "2241",
    Role.UNAPPLIED: "2245",
    Role.CAPITAL: "4001",
    Role.INTEREST_INCOME: "6011",
    Role.FEE_INCOME: "6021",
    Role.PENALTY_INCOME: "6031",
    Role.RECOVERIES: "6302",
    Role.CREDIT_LOSSES: "6701",
    Role.IMPAIRMENT: "6701",
    Role.GOODWILL: "6711",
}
# The chart holds for whatever was ever booked.
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)

# GB/T 4754-2017, the twenty sections.
INDUSTRIES = [
    ("A", "Agriculture, forestry, animal husbandry and fishery", "农、林、牧、渔业"),
    ("B", "Mining", "采矿业"),
    ("C", "Manufacturing", "制造业"),
    ("D", "Electricity, heat, gas and water", "电力、热力、燃气及水生产和供应业"),
    ("E", "Construction", "建筑业"),
    ("F", "Wholesale and retail", "批发和零售业"),
    ("G", "Transport, storage and post", "交通运输、仓储和邮政业"),
    ("H", "Hotels and catering", "住宿和餐饮业"),
    ("I", "Information, software and IT services", "信息传输、软件和信息技术服务业"),
    ("J", "Finance", "金融业"),
    ("K", "Real estate", "房地产业"),
    ("L", "Leasing and business services", "租赁和商务服务业"),
    ("M", "Scientific research and technical services", "科学研究和技术服务业"),
    ("N", "Water, environment and public facilities", "水利、环境和公共设施管理业"),
    ("O", "Resident services and repair", "居民服务、修理和其他服务业"),
    ("P", "Education", "教育"),
    ("Q", "Health and social work", "卫生和社会工作"),
    ("R", "Culture, sports and entertainment", "文化、体育和娱乐业"),
    ("S", "Public administration and social organisations", "公共管理、社会保障和社会组织"),
    ("T", "International organisations", "国际组织"),
]

GBT = "GB/T 45251-2025"
CBA = "中国银行业协会 催收工作指引(试行)"
MICRO = "小额贷款公司综合融资成本管理工作指引"
CLASSES = "商业银行金融资产风险分类办法(2023年第1号令)"
CARDS = "商业银行信用卡业务监督管理办法"
PROVISIONS = "银行贷款损失准备计提指引(银发〔2002〕98号)"
HOUSE = "House policy"

# code, lender type, value, unit, from, to, instrument, article, how sure
RULES = [
    ("ALL_IN_COST_CAP", "", "0.24", "per year", "2017-08-04", "2025-09-30", "法发〔2017〕22号", "2", "M"),
    ("ALL_IN_COST_CAP", "", "0.24", "per year", "2025-10-01", None, "金规〔2025〕9号", "6", "P"),
    ("ALL_IN_COST_CAP", "MICRO_LOAN", "0.24", "per year", "2025-12-01", "2027-12-31", MICRO, "", "P"),
    ("ALL_IN_COST_CAP", "MICRO_LOAN", "0.12", "per year", "2028-01-01", None, MICRO, "4×1Y-LPR", "P"),
    # Which annual cost is held against the cap: 1 the compounded one, 0 the rate of one period times the periods of a
    # year. The text of the rule does not say; compounded is the stricter reading.
    ("ALL_IN_COST_COMPOUNDED", "", "1", "1 = yes", "2017-08-04", None, HOUSE, "", "H"),
    ("READING_SECONDS", "", "5", "seconds", "2026-08-01", None, "金规〔2026〕2号", "", "P"),
    (
        "CONSUMER_LINE_CAP",
        "",
        "200000",
        "CNY",
        "2020-07-17",
        None,
        "商业银行互联网贷款管理暂行办法",
        "6",
        "P",
    ),
    (
        "CONSUMER_LINE_CAP",
        "MICRO_LOAN",
        "200000",
        "CNY",
        "2025-01-17",
        None,
        "小额贷款公司监督管理暂行办法",
        "",
        "P",
    ),
    (
        "COMPANY_LINE_CAP",
        "MICRO_LOAN",
        "10000000",
        "CNY",
        "2025-01-17",
        None,
        "小额贷款公司监督管理暂行办法",
        "",
        "P",
    ),
    ("COMPANY_LINE_CAP", "", "10000000", "CNY", "2020-07-17", None, HOUSE, "", "H"),
    ("LINE_REVIEW_DAYS", "", "365", "days", "2020-07-17", None, "商业银行互联网贷款管理暂行办法", "", "P"),
    # The house approves again by itself where nothing speaks against it; companies are looked at by a person.
    ("LINE_REAPPROVAL_ALONE_PERSON", "", "1", "1 = yes", "2020-01-01", None, HOUSE, "", "H"),
    ("LINE_REAPPROVAL_ALONE_COMPANY", "", "0", "1 = yes", "2020-01-01", None, HOUSE, "", "H"),
    # The nightly review of limits: who is offered more, and whose limit is cut.
    *[
        (f"LIMIT_{name}", "", value, unit, "2020-01-01", None, HOUSE, "", "H")
        for name, value, unit in (
            ("SCORE_DAYS", "7", "days"),
            ("RAISE_PD", "0.05", "share"),
            ("RAISE_UTILISATION", "0.3", "share"),
            ("RAISE_OPEN_DAYS", "180", "days"),
            ("RAISE_CLEAN_DAYS", "180", "days"),
            ("RAISE_SHARE", "0.2", "share"),
            ("RAISE_CAP_PERSON", "100000", "CNY"),
            ("RAISE_CAP_COMPANY", "2000000", "CNY"),
            ("RAISE_COOLDOWN_DAYS", "90", "days"),
            ("OFFER_DAYS", "14", "days"),
            ("CUT_PD", "0.2", "share"),
            ("CUT_FULL_PD", "0.12", "share"),
            ("CUT_FULL_UTILISATION", "0.95", "share"),
            ("CUT_OVERDUE_DAYS", "30", "days"),
            ("CUT_SHARE", "0.3", "share"),
            ("CUT_COOLDOWN_DAYS", "30", "days"),
        )
    ],
    ("MINIMUM_AGE", "", "18", "years", "2021-01-01", None, "民法典", "17", "V"),
    ("SECOND_PERSON_ABOVE", "", "50000", "CNY", "2020-01-01", None, HOUSE, "", "H"),
    # Days within which a person answers who was asked to look at a decline again (PIPL art. 24(3) sets none).
    ("REVIEW_DAYS", "", "3", "days", "2021-11-01", None, HOUSE, "", "H"),
    ("WAIVE_ALONE_UP_TO", "", "0", "CNY", "2020-01-01", None, HOUSE, "", "H"),
    ("CONTACT_QUIET_FROM", "", "22", "hour", "2025-02-28", None, GBT, "", "P"),
    ("CONTACT_QUIET_TO", "", "8", "hour", "2025-02-28", None, GBT, "", "P"),
    ("CONTACT_EFFECTIVE_CALLS_PER_DAY", "", "3", "calls", "2025-02-28", None, GBT, "", "P"),
    ("CONTACT_UNANSWERED_PER_NUMBER_PER_DAY", "", "6", "dials", "2025-02-28", "2026-01-29", HOUSE, "", "H"),
    ("CONTACT_UNANSWERED_PER_NUMBER_PER_DAY", "", "6", "dials", "2026-01-30", None, CBA, "", "P"),
    ("CONTACT_VISITS_PER_DAY", "", "1", "visits", "2025-02-28", None, GBT, "", "P"),
    ("CONTACT_VISIT_STAFF", "", "2", "persons", "2025-02-28", None, GBT, "", "P"),
    # Buckets: the first day past due of each. A fifth makes M4 and M4+.
    ("BUCKET_1_FROM_DAY", "", "1", "days", "2000-01-01", None, HOUSE, "", "H"),
    ("BUCKET_2_FROM_DAY", "", "31", "days", "2000-01-01", None, HOUSE, "", "H"),
    ("BUCKET_3_FROM_DAY", "", "61", "days", "2000-01-01", None, HOUSE, "", "H"),
    ("BUCKET_4_FROM_DAY", "", "91", "days", "2000-01-01", None, HOUSE, "", "H"),
    # The five classes: the first day past due of each. The house did the same before the rule.
    *[
        (f"CLASS_{name}_FROM_DAY", "", day, "days", *since)
        for name, day in (
            ("SPECIAL_MENTION", "1"),
            ("SUBSTANDARD", "91"),
            ("DOUBTFUL", "271"),
            ("LOSS", "361"),
        )
        for since in (
            ("2000-01-01", "2023-06-30", HOUSE, "", "H"),
            ("2023-07-01", None, CLASSES, "10-13", "P"),
        )
    ],
    *[
        (f"CARD_{name}_FROM_DAY", "", day, "days", "2000-01-01", None, CARDS, "92", "P")
        for name, day in (
            ("SPECIAL_MENTION", "1"),
            ("SUBSTANDARD", "91"),
            ("DOUBTFUL", "121"),
            ("LOSS", "181"),
        )
    ],
    # More than this share of one customer's debt non-performing, and all of it is. A share of 1 is never passed.
    ("CLASS_CONTAGION_COMPANY", "", "0.1", "share", "2000-01-01", "2023-06-30", HOUSE, "", "H"),
    ("CLASS_CONTAGION_COMPANY", "", "0.1", "share", "2023-07-01", None, CLASSES, "7", "V"),
    ("CLASS_CONTAGION_PERSON", "", "1", "share", "2000-01-01", None, HOUSE, "", "H"),
    # Provisions: the floor by class, the presumptions of the stages, and what the house assumes where it has not seen
    # enough: chance of default in twelve months by bucket, loss given default by how far collateral covers the debt.
    *[
        (f"PROVISION_FLOOR_{name}", "", share, "share", "2002-04-02", None, PROVISIONS, "", "P")
        for name, share in (
            ("NORMAL", "0.01"),
            ("SPECIAL_MENTION", "0.02"),
            ("SUBSTANDARD", "0.25"),
            ("DOUBTFUL", "0.5"),
            ("LOSS", "1"),
        )
    ],
    ("STAGE_2_FROM_DAY", "", "31", "days", "2018-01-01", None, "IFRS 9", "5.5.11", "P"),
    ("STAGE_3_FROM_DAY", "", "91", "days", "2018-01-01", None, "IFRS 9", "B5.5.37", "P"),
    ("PD_MONTHS", "", "12", "months", "2000-01-01", None, HOUSE, "", "H"),
    ("PD_MINIMUM_CASES", "", "100", "cases", "2000-01-01", None, HOUSE, "", "H"),
    ("PD_BUCKET_0", "", "0.02", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("PD_BUCKET_1", "", "0.15", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("PD_BUCKET_2", "", "0.45", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("PD_BUCKET_3", "", "0.7", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("LGD_COVERED_0_PERCENT", "", "0.65", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("LGD_COVERED_50_PERCENT", "", "0.4", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("LGD_COVERED_100_PERCENT", "", "0.2", "share", "2000-01-01", None, HOUSE, "", "H"),
    ("CONTACT_LOST_TRIES", "", "3", "tries", "2025-02-28", None, GBT, "", "P"),
]


def install() -> None:
    """Put the reference data in place; what is there stays as it is."""
    Account.objects.bulk_create(
        [Account(code=c, kind=k, name=n, name_zh=z) for c, k, n, z in ACCOUNTS], ignore_conflicts=True
    )
    AccountMapping.objects.bulk_create(
        [AccountMapping(role=role, account_id=code, since=ALWAYS) for role, code in CHART.items()],
        ignore_conflicts=True,
    )
    Industry.objects.bulk_create(
        [Industry(code=c, name=n, name_zh=z) for c, n, z in INDUSTRIES], ignore_conflicts=True
    )
    RuleParameter.objects.bulk_create([_rule(*row) for row in RULES], ignore_conflicts=True)
    notice_templates.install()


def _rule(
    code: str,
    lender_type: str,
    value: str,
    unit: str,
    valid_from: str,
    valid_to: str | None,
    instrument: str,
    article: str,
    certainty: str,
) -> RuleParameter:
    return RuleParameter(
        code=code,
        lender_type=lender_type,
        value=Decimal(value),
        unit=unit,
        valid_from=date.fromisoformat(valid_from),
        valid_to=date.fromisoformat(valid_to) if valid_to else None,
        instrument=instrument,
        article=article,
        certainty=certainty,
    )


# A first shelf: one product for each way of paying back. Prices stay below 12% all-in where customers are many.
STARTER_PRODUCTS: list[dict[str, Any]] = [
    {
        "code": "pay-later",
        "name": "Pay later",
        "name_zh": "先享后付",
        "kind": "LINE",
        "class_scale": "CARD",
        "audience": "PERSON",
        "method": "FLAT_FEE",
        "fee_rate": "0.005",
        "single_is_free": True,
        "tenors": [1, 3, 6, 12],
        "min_amount": "500",
        "max_amount": "200000",
        "penalty_rate": "0.1825",
    },
    {
        "code": "cash-loan",
        "name": "Cash loan",
        "name_zh": "现金分期",
        "kind": "LOAN",
        "audience": "PERSON",
        "method": "EQUAL_INSTALMENT",
        "annual_rate": "0.144",
        "tenors": [3, 6, 12, 24],
        "min_amount": "1000",
        "max_amount": "100000",
        "penalty_rate": "0.18",
    },
    {
        "code": "purchase-line",
        "name": "Purchase line for companies",
        "name_zh": "企业采购额度",
        "kind": "LINE",
        "class_scale": "CARD",
        "audience": "COMPANY",
        "method": "EQUAL_PRINCIPAL",
        "annual_rate": "0.108",
        "day_count": "ACT/365",
        "interest_period": "DAILY",
        "tenors": [1, 3, 6],
        "min_amount": "10000",
        "max_amount": "5000000",
        "penalty_rate": "0.162",
    },
    {
        "code": "working-capital",
        "name": "Working capital loan",
        "name_zh": "流动资金贷款",
        "kind": "LOAN",
        "audience": "COMPANY",
        "method": "INTEREST_ONLY",
        "annual_rate": "0.09",
        "tenors": [6, 12],
        "min_amount": "50000",
        "max_amount": "5000000",
        "penalty_rate": "0.135",
    },
    {
        "code": "supplier-advance",
        "name": "Supplier advance",
        "name_zh": "供应商应收融资",
        "kind": "LOAN",
        "audience": "COMPANY",
        "for_suppliers": True,
        "method": "BULLET",
        "annual_rate": "0.084",
        "day_count": "ACT/360",
        "interest_period": "DAILY",
        "tenors": [1, 2, 3],
        "min_amount": "10000",
        "max_amount": "2000000",
        "penalty_rate": "0.126",
    },
]


@transaction.atomic
def starter_products() -> list[Product]:
    """The first shelf, live; products whose code exists already are left alone."""
    for values in STARTER_PRODUCTS:
        if Product.objects.filter(code=values["code"]).exists():
            continue
        product = Product(**values)
        product.full_clean(exclude=["state"], validate_constraints=False)  # the database checks those
        product.go_live()
        product.save()
    codes = [values["code"] for values in STARTER_PRODUCTS]
    return list(Product.objects.filter(code__in=codes, state=Product.State.LIVE))
