"""What each role of the staff may do in collections (lending/roles.py puts it in place)."""

_FILE = (
    *("view_case", "view_contact", "view_promise", "view_dispute", "view_stoprequest", "view_daycount"),
    *("view_legalmatter", "view_legalcost", "view_legaldocument", "view_strategy", "view_strategystep"),
)

# change_dispute: to answer disputes; add_legalmatter and change_legalmatter: to open matters and take them on.
GRANTS: dict[str, tuple[str, ...]] = {
    "credit_officer": (*_FILE, "change_dispute"),
    "senior_approver": (*_FILE, "change_dispute", "publish_strategy"),
    "risk_analyst": (*_FILE, "change_strategy", "publish_strategy"),
    "collector": (*_FILE, "work_case"),
    "legal_officer": (*_FILE, "work_case", "change_dispute", "add_legalmatter", "change_legalmatter"),
    "accountant": _FILE,
}
