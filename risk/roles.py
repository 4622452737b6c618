"""What each role of the staff may do in risk (lending/roles.py puts it in place)."""

_FILE = (
    *("view_platformevent", "view_customerday", "view_financialstatement", "view_assessment"),
    *("view_alert", "view_appeal", "view_control", "view_linereview", "view_reviewday"),
    *("view_behaviourscore", "view_scorenight", "view_scoringfailure", "view_enquiry", "view_enquiryresult"),
)
_WORKSHOP = (
    *("view_dataset", "view_modelversion", "view_policyversion", "view_reading", "view_modelreview"),
    *("add_modelreview", "view_featurewaiver", "view_dryrun", "view_dryruncase"),
)

# change_modelversion: to let a model challenge, and to retire it; change_policyversion: to edit drafts, put them in
# the shadow and retire versions. Nobody approves what they made themselves, whatever their role.
GRANTS: dict[str, tuple[str, ...]] = {
    "credit_officer": (
        *_FILE,
        *("judge_alert", "decide_appeal", "retry_scoring", "ask_source", "add_financialstatement"),
    ),
    "senior_approver": (
        *_FILE,
        *_WORKSHOP,
        *(
            "judge_alert",
            "decide_appeal",
            "approve_modelversion",
            "approve_policyversion",
            "retry_scoring",
            "ask_source",
        ),
    ),
    "risk_analyst": (
        *_FILE,
        *_WORKSHOP,
        *("judge_alert", "decide_appeal", "change_control", "change_modelversion", "add_policyversion"),
        *("change_scorenight", "retry_scoring", "ask_source", "ask_waiver"),
        *("answer_reading", "add_financialstatement"),
        *("change_policyversion", "approve_modelversion", "approve_policyversion"),
    ),
    # The one thing that the reader of everything may do: to lift a ban, in writing.
    "compliance_officer": ("give_waiver",),
    "collector": ("view_customerday", "view_alert", "view_appeal"),
    "legal_officer": ("view_alert", "view_appeal"),
}
