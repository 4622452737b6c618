"""The dress and the navigation of the staff admin (django-unfold), and what the apps bring to its pages."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

# What each app brings. Lending's pages ask these paths and know nothing of who answers.
ROLE_GRANTS = ["lending.roles.GRANTS", "risk.roles.GRANTS", "dunning.roles.GRANTS"]
DASHBOARD_CARDS = ["lending.admin.dashboard.cards", "risk.admin.house.cards", "dunning.admin.house.cards"]
CUSTOMER_SECTIONS = ["risk.admin.house.customer_sections", "dunning.admin.house.customer_sections"]
APPLICATION_SECTIONS = ["risk.admin.assessments.application_sections"]
EVENT_WORDS = ["lending.admin.timeline.WORDS", "risk.admin.house.WORDS", "dunning.admin.house.WORDS"]


@dataclass(frozen=True)
class Item:
    """An entry of the sidebar: a model's list, or the page of a URL name, for who holds the permission."""

    title: Any
    icon: str
    model: str = ""
    url: str = ""
    permission: str = ""

    def link(self) -> str:
        app, _dot, name = self.model.partition(".")
        return reverse(self.url or f"admin:{app}_{name}_changelist")

    def needs(self) -> str:
        app, _dot, name = self.model.partition(".")
        return self.permission or f"{app}.view_{name}"


STAFF_NAVIGATION: list[tuple[Any, list[Item]]] = [
    (
        _("Lending"),
        [
            Item(_("Applications"), "inbox", "lending.application"),
            Item(_("Offers and cost sheets"), "contract", "lending.offer"),
            Item(_("Customers"), "group", "lending.customer"),
            Item(_("Credit lines"), "credit_card", "lending.creditline"),
            Item(_("Limit offers"), "trending_up", "lending.limitoffer"),
            Item(_("Purchases"), "shopping_cart", "lending.purchase"),
            Item(_("Loans"), "request_quote", "lending.loan"),
            Item(_("Requests for relief"), "volunteer_activism", "lending.reliefrequest"),
            Item(_("Collateral"), "shield", "lending.collateral"),
            Item(_("Approvals"), "done_all", "lending.approvalrequest"),
        ],
    ),
    (
        _("Risk"),
        [
            Item(_("Alerts"), "notifications", "risk.alert"),
            Item(_("Appeals"), "feedback", "risk.appeal"),
            Item(_("Controls"), "tune", "risk.control"),
            Item(_("Assessments"), "fact_check", "risk.assessment"),
            Item(
                _("Fairness by group"),
                "balance",
                url="admin:risk_assessment_fairness",
                permission="risk.view_assessment",
            ),
            Item(_("Enquiries"), "manage_search", "risk.enquiry"),
            Item(_("Failed scorings"), "error", "risk.scoringfailure"),
            Item(_("Limits reviewed"), "swap_vert", "risk.linereview"),
            Item(_("Reviews of limits"), "event_available", "risk.reviewday"),
            Item(_("Nights of scoring"), "nights_stay", "risk.scorenight"),
            Item(_("Behaviour scores"), "timeline", "risk.behaviourscore"),
            Item(_("Policies"), "rule", "risk.policyversion"),
            Item(_("Leaves for forbidden features"), "policy_alert", "risk.featurewaiver"),
            Item(_("Trials of policies"), "science", "risk.dryrun"),
            Item(_("Models"), "model_training", "risk.modelversion"),
            Item(_("Monitoring of models"), "monitoring", "risk.reading"),
            Item(
                _("Features"),
                "list_alt",
                url="admin:risk_modelversion_features",
                permission="risk.view_modelversion",
            ),
            Item(_("Data sets"), "dataset", "risk.dataset"),
            Item(_("Platform events"), "stream", "risk.platformevent"),
            Item(_("Customers' days"), "calendar_month", "risk.customerday"),
            Item(_("Financial statements"), "account_balance", "risk.financialstatement"),
        ],
    ),
    (
        _("Collections"),
        [
            Item(_("Cases"), "support_agent", "dunning.case"),
            Item(_("Contacts"), "call", "dunning.contact"),
            Item(_("Promises"), "handshake", "dunning.promise"),
            Item(_("Disputes"), "feedback", "dunning.dispute"),
            Item(_("Legal matters"), "gavel", "dunning.legalmatter"),
            Item(_("Stop requests"), "do_not_disturb", "dunning.stoprequest"),
            Item(_("Strategies"), "route", "dunning.strategy"),
        ],
    ),
    (
        _("Money"),
        [
            Item(_("Bills"), "receipt_long", "lending.statement"),
            Item(_("Payments"), "payments", "lending.payment"),
            Item(_("Debit mandates"), "contract", "lending.mandate"),
            Item(_("Debits"), "event_repeat", "lending.debit"),
            Item(_("Payment files"), "upload_file", "lending.paymentfile"),
            Item(_("Bank statements"), "account_balance", "lending.bankstatement"),
            Item(_("Bank lines"), "list_alt", "lending.bankline"),
            Item(
                _("Bank lines to be matched"),
                "rule",
                url="admin:lending_bankline_queue",
                permission="lending.match_bankline",
            ),
            Item(_("Unapplied money"), "pending", "lending.unappliedmoney"),
            Item(_("Transactions"), "swap_horiz", "lending.transaction"),
            Item(_("Accounts"), "account_tree", "lending.account"),
            Item(
                _("Trial balance"),
                "balance",
                url="admin:lending_account_trial_balance",
                permission="lending.view_account",
            ),
            Item(
                _("Day book"),
                "today",
                url="admin:lending_account_day_book",
                permission="lending.view_journalline",
            ),
            Item(
                _("Balance sheet"),
                "account_balance",
                url="admin:lending_account_balance_sheet",
                permission="lending.view_account",
            ),
            Item(
                _("Profit and loss"),
                "trending_up",
                url="admin:lending_account_profit_and_loss",
                permission="lending.view_account",
            ),
            Item(
                _("Loans against the books"),
                "rule_settings",
                url="admin:lending_account_tie_out",
                permission="lending.view_account",
            ),
            Item(
                _("Export of the books"),
                "download",
                url="admin:lending_account_export_books",
                permission="lending.view_journalline",
            ),
            Item(_("Accounting periods"), "calendar_month", "lending.accountingperiod"),
            Item(_("Accounts of roles"), "conversion_path", "lending.accountmapping"),
            Item(_("Journal"), "menu_book", "lending.journalentry"),
            Item(_("Daily close"), "event_available", "lending.businessdate"),
            Item(_("Loans set aside"), "playlist_remove", "lending.closeexception"),
        ],
    ),
    (
        _("The book"),
        [
            *(
                Item(title, icon, url=f"admin:lending_bookmonth_{name}", permission="lending.view_bookmonth")
                for title, icon, name in (
                    (_("Portfolio at risk"), "monitoring", "at_risk"),
                    (_("Ageing"), "hourglass_bottom", "ageing"),
                    (_("Roll rates"), "grid_on", "rolls"),
                    (_("Cure rates"), "healing", "cures"),
                    (_("Vintages"), "stacked_line_chart", "vintages"),
                    (_("Concentration"), "donut_small", "concentration"),
                )
            ),
            Item(
                _("Provisions"),
                "savings",
                url="admin:lending_provisionmonth_report",
                permission="lending.view_provisionmonth",
            ),
            Item(_("Rates of default"), "percent", "lending.defaultrate"),
        ],
    ),
    (
        _("House"),
        [
            Item(_("Products"), "sell", "lending.product"),
            Item(_("Industries"), "factory", "lending.industry"),
            Item(_("Rule parameters"), "gavel", "lending.ruleparameter"),
            Item(_("Notices"), "sms", "lending.notice"),
            Item(_("Message templates"), "draft", "lending.noticetemplate"),
            Item(_("Events"), "history", "lending.event"),
            Item(_("Users"), "person", "lending.user"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of this user: nothing that would answer with a refusal."""
    groups = [(None, [_entry(_("Dashboard"), "dashboard", reverse("admin:index"))])]
    for title, items in STAFF_NAVIGATION:
        allowed = [item for item in items if request.user.has_perm(item.needs())]
        groups.append((title, [_entry(item.title, item.icon, item.link()) for item in allowed]))
    _mark_active(request, [entry for _title, entries in groups for entry in entries])
    return [
        {"title": title, "separator": title is not None, "items": entries}
        for title, entries in groups
        if entries
    ]


def _entry(title: Any, icon: str, link: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link, "active": False}


def _mark_active(request: HttpRequest, entries: list[dict[str, Any]]) -> None:
    """The entry whose address is the longest beginning of this page's; the dashboard only for itself."""
    path, home = request.path, entries[0]["link"]
    leading = [entry for entry in entries if path.startswith(entry["link"]) and entry["link"] != home]
    if leading:
        max(leading, key=lambda entry: len(entry["link"]))["active"] = True
    entries[0]["active"] = path == home


def business_date(request: HttpRequest) -> list[str] | None:
    """The label at the head of every page: the day the books are on, and whether it is being closed."""
    from lending.models import BusinessDay

    day = BusinessDay.objects.exclude(state=BusinessDay.State.CLOSED).order_by("date").first()
    if day is None:
        return None
    closing = day.state == BusinessDay.State.CLOSING
    words = _("%(date)s · closing") % {"date": day} if closing else str(day)
    return [str(words), "warning" if closing else "info"]


def language_url(request: HttpRequest) -> str:
    """Where the switch of languages posts to: the choice is remembered for the user, not for the browser."""
    return reverse("lending:language")


_TEAL = {
    "50": "#f0fdfa",
    "100": "#ccfbf1",
    "200": "#99f6e4",
    "300": "#5eead4",
    "400": "#2dd4bf",
    "500": "#14b8a6",
    "600": "#0d9488",
    "700": "#0f766e",
    "800": "#115e59",
    "900": "#134e4a",
    "950": "#042f2e",
}

UNFOLD = {
    "SITE_TITLE": "OpenTab",
    "SITE_HEADER": "OpenTab",
    "SITE_SUBHEADER": _("Lending back office"),
    "SITE_SYMBOL": "account_balance_wallet",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": "config.unfold.language_url"},
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "config.unfold.business_date",
    "DASHBOARD_CALLBACK": "lending.admin.dashboard.dashboard",
    "STYLES": [lambda request: static("staff/staff.css")],
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": _TEAL},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "config.unfold.navigation",
    },
    "COMMAND": {"search_models": False, "search_callback": "lending.admin.search.search"},
}

# What the theme itself says and has no Chinese for: named here, so that our catalogue gives it some.
THEME_WORDS = (
    _("Add new item"),
    _("Apply Filters"),
    _("Choose file to upload"),
    _("Dark"),
    _("Date from"),
    _("Date to"),
    _("False"),
    _("General"),
    _("Go back"),
    _("Light"),
    _("Loading more results..."),
    _("More actions"),
    _("Next"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Previous"),
    _("Recent searches"),
    _("Reset filters"),
    _("Return to site"),
    _("Search apps and models..."),
    _("Select all rows"),
    _("Select format"),
    _("Select record"),
    _("Select value"),
    _("Sorting priority: %(priority_number)s"),
    _("System"),
    _("This exporter will export the following fields"),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("True"),
    _("Type to search"),
    _("Welcome"),
    _("%(full_result_count)s total"),
    ngettext_lazy("%(counter)s result", "%(counter)s results"),
)
