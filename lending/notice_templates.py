"""The words of every message, in English and Chinese, and their installation as version 1 of the templates.

Plain and polite; what is owed, since when, and how to pay; never a threat, a shaming word or a borrowed
authority (the collection guideline of the China Banking Association, 2026-01-30). Each text becomes three
templates: an SMS (the text alone, after the sender's name), a message in the app (subject and text), and an
e-mail (with a greeting and a signature); where a letter is written out, the e-mail carries it too.

`VARIABLES` says what the caller of a template must give besides what every template knows: `name` (the
customer's), `site` (the sender's name), `pay_url` and `home_url`. Amounts are Decimal and dates are date:
they are put into local form when the message is written.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lending.models import NoticeTemplate

ENGLISH, CHINESE = "en", "zh-hans"


class Words(NamedTuple):
    """A message in one language; `letter` is its long form, for e-mail and paper."""

    subject: str
    text: str
    letter: str = ""


class Wording(NamedTuple):
    """A message in both languages, and the names of the figures it needs."""

    needs: tuple[str, ...]
    en: Words
    zh: Words


WORDINGS: dict[str, Wording] = {
    "application_received": Wording(
        ("amount",),
        Words(
            "We have your application",
            "We have received your application for {{ amount }}. You will hear from us here as soon as "
            "it is decided.",
        ),
        Words("申请已收到", "我们已收到您 {{ amount }} 的申请，审批完成后会在此通知您。"),
    ),
    "application_approved": Wording(
        ("amount", "expires_on"),
        Words(
            "Your application is approved",
            "Your application is approved for {{ amount }}. Please read the full cost and decide by "
            "{{ expires_on }}: {{ home_url }}",
        ),
        Words(
            "申请已通过",
            "您的申请已通过，额度为 {{ amount }}。请在 {{ expires_on }}前查看全部费用并确认：{{ home_url }}",
        ),
    ),
    "application_declined": Wording(
        ("reasons",),
        Words(
            "About your application",
            "We cannot approve your application now. Reasons: {{ reasons|join:'; ' }}. You can ask for "
            "a person to look "
            "at it again, and find the letter with the reasons: {{ home_url }}",
        ),
        Words(
            "申请结果",
            "很抱歉，我们暂时无法通过您的申请。原因：{{ reasons|join:'；' }}。您可以申请人工复核，"
            "并下载载明原因的通知书：{{ home_url }}",
        ),
    ),
    "review_received": Wording(
        ("due_on",),
        Words(
            "A person looks at your application again",
            "A person decides about your application again, and answers by {{ due_on }}. It costs nothing: "
            "{{ home_url }}",
        ),
        Words(
            "我们将人工复核您的申请",
            "您的申请已转人工复核，我们将在 {{ due_on }}前答复您，不收取任何费用：{{ home_url }}",
        ),
    ),
    "loan_restructured": Wording(
        ("loan", "next_due_on", "next_amount", "matures_on"),
        Words(
            "Your loan has a new schedule",
            "Loan {{ loan }} has a new schedule. Next: {{ next_amount }} by {{ next_due_on }}; the last instalment "
            "is due on {{ matures_on }}. See it here: {{ home_url }}",
        ),
        Words(
            "还款计划已调整",
            "您的贷款 {{ loan }} 已调整还款计划。下一期：{{ next_due_on }}前还 {{ next_amount }}，"
            "最后一期到期日 {{ matures_on }}。详情请见：{{ home_url }}",
        ),
    ),
    "relief_declined": Wording(
        ("loan", "answer"),
        Words(
            "About your request for relief",
            "We have looked at your request for loan {{ loan }} and cannot change its schedule now. {{ answer }} "
            "You can ask again when things change: {{ home_url }}",
        ),
        Words(
            "纾困申请结果",
            "我们已审核您对贷款 {{ loan }} 的申请，目前无法调整还款计划。{{ answer }} "
            "情况变化时可再次申请：{{ home_url }}",
        ),
    ),
    "application_referred": Wording(
        (),
        Words(
            "An officer is looking at your application",
            "Your application is with one of our officers. You need do nothing now; we will let you know.",
        ),
        Words("申请正在人工审核", "您的申请已转人工审核，暂时无需您操作，结果会及时通知您。"),
    ),
    "offer_expired": Wording(
        ("amount",),
        Words(
            "Your offer has ended",
            "The offer of {{ amount }} was not accepted in time and has ended. You are welcome to "
            "apply again: {{ home_url }}",
        ),
        Words(
            "审批结果已过期",
            "{{ amount }} 的审批结果未在有效期内确认，现已失效。欢迎您重新申请：{{ home_url }}",
        ),
    ),
    "line_opened": Wording(
        ("limit",),
        Words(
            "Your credit line is open", "Your credit line of {{ limit }} is open. You can use it from now on."
        ),
        Words("额度已开通", "您的额度 {{ limit }} 已开通，现在即可使用。"),
    ),
    "line_cut": Wording(
        ("limit", "reason"),
        Words(
            "Your limit has been lowered",
            "Your limit is now {{ limit }}. Reason: {{ reason }}\nWhat you have bought already and its "
            "due dates stay as "
            "they are, and no fee arises. If you think this is wrong, you can object: {{ home_url }}",
        ),
        Words(
            "额度已下调",
            "您的额度现为 {{ limit }}。原因：{{ reason }}\n您已有的订单和还款日不变，也不会因此产生费用。"
            "如有异议，可在此申诉：{{ home_url }}",
        ),
    ),
    "line_suspended": Wording(
        ("reason",),
        Words(
            "Your credit line is suspended",
            "You cannot make new purchases on your credit line for now. Reason: {{ reason }}\nYour due "
            "dates stay as they "
            "are, and no fee arises. If you think this is wrong, you can object: {{ home_url }}",
        ),
        Words(
            "额度已暂停使用",
            "您的额度暂时无法用于新的消费。原因：{{ reason }}\n已有的还款日不变，也不会因此产生费用。"
            "如有异议，可在此申诉：{{ home_url }}",
        ),
    ),
    "line_restored": Wording(
        ("limit",),
        Words("Your credit line is back", "You can use your credit line again. Your limit is {{ limit }}."),
        Words("额度已恢复", "您的额度已恢复使用，当前额度为 {{ limit }}。"),
    ),
    "appeal_received": Wording(
        (),
        Words(
            "We have your objection",
            "We have received your objection. A person will look at it and answer you.",
        ),
        Words("申诉已收到", "我们已收到您的申诉，将由专人处理并答复您。"),
    ),
    "appeal_upheld": Wording(
        ("reason",),
        Words(
            "Your objection was right", "We have looked at your objection and agree with you.\n{{ reason }}"
        ),
        Words("申诉成立", "经核实，您的申诉成立。\n{{ reason }}"),
    ),
    "appeal_rejected": Wording(
        ("reason",),
        Words(
            "Our answer to your objection",
            "We have looked at your objection and our decision stays as it is.\n{{ reason }}",
        ),
        Words("申诉结果", "经核实，我们维持原来的决定。\n{{ reason }}"),
    ),
    "limit_raised": Wording(
        ("limit",),
        Words(
            "Your limit has been raised", "Your limit is now {{ limit }}. There is nothing you need to do."
        ),
        Words("额度已提升", "您的额度已提升至 {{ limit }}，无需任何操作。"),
    ),
    "limit_offer": Wording(
        ("limit", "before", "expires_on"),
        Words(
            "A higher limit, if you want it",
            "You can have a limit of {{ limit }} instead of {{ before }}. Nothing changes unless you say yes. See "
            "what it costs and decide by {{ expires_on }}: {{ home_url }}",
        ),
        Words(
            "您可选择提升额度",
            "您的额度可由 {{ before }} 提升至 {{ limit }}。未经您同意，额度不会变化。请在 {{ expires_on }}前查看费用"
            "并决定是否接受：{{ home_url }}",
        ),
    ),
    "reapproval_missing": Wording(
        ("since",),
        Words(
            "No new purchases for now",
            "A credit line is looked at again once a year, and for yours this was last done on {{ since }}. Until we "
            "have done it, you cannot make new purchases. Your due dates stay as they are, and no fee arises. You need "
            "do nothing; if you think this is wrong, tell us: {{ home_url }}",
        ),
        Words(
            "额度暂停使用：等待年度复核",
            "额度须每年复核一次，您的额度上次复核日期为 {{ since }}。复核完成前暂时无法用于新的消费。已有的还款日不变，"
            "也不会因此产生费用。您无需操作；如有异议请告知我们：{{ home_url }}",
        ),
    ),
    "bill_issued": Wording(
        ("amount", "due_on"),
        Words(
            "Your bill is ready", "Your bill of {{ amount }} is due on {{ due_on }}. Pay here: {{ pay_url }}"
        ),
        Words("账单已出", "您本期账单 {{ amount }}，还款日为 {{ due_on }}。还款链接：{{ pay_url }}"),
    ),
    "payment_received": Wording(
        ("amount",),
        Words("Payment received", "We have received your payment of {{ amount }}. Thank you."),
        Words("还款成功", "我们已收到您的还款 {{ amount }}，谢谢。"),
    ),
    "payment_failed": Wording(
        ("amount",),
        Words(
            "Payment not received",
            "Your payment of {{ amount }} did not go through and nothing was taken. Please try again: "
            "{{ pay_url }}",
        ),
        Words("还款未成功", "您的还款 {{ amount }} 未成功，款项未扣除。请重试：{{ pay_url }}"),
    ),
    "mandate_signed": Wording(
        ("account", "limit"),
        Words(
            "Your direct debit is set up",
            "From now on we take what is due from your account {{ account }}, at most {{ limit }} each time, and tell "
            "you before. You can end it at any time: {{ home_url }}",
        ),
        Words(
            "自动还款已开通",
            "您已开通自动还款，到期款项将从账户 {{ account }} 扣款，单笔不超过 {{ limit }}，扣款前会通知您。"
            "您可随时取消：{{ home_url }}",
        ),
    ),
    "mandate_ended": Wording(
        (),
        Words(
            "Your direct debit has ended",
            "We no longer take payments from your account. Please pay what is due yourself: {{ pay_url }}",
        ),
        Words("自动还款已终止", "我们不再从您的账户自动扣款，请您自行按期还款：{{ pay_url }}"),
    ),
    "debit_planned": Wording(
        ("amount", "day", "account"),
        Words(
            "We will take your payment",
            "On {{ day }} we will take {{ amount }} from your account {{ account }}. Please see that it is there; if "
            "you pay before, nothing is taken.",
        ),
        Words(
            "自动扣款提醒",
            "我们将于 {{ day }}从您的账户 {{ account }} 扣款 {{ amount }}，请确保余额充足；如您提前还款，则不再扣款。",
        ),
    ),
    "debit_failed": Wording(
        ("amount",),
        Words(
            "We could not take your payment",
            "We could not take {{ amount }} from your account. Please pay here: {{ pay_url }}",
        ),
        Words("自动扣款未成功", "我们未能从您的账户扣款 {{ amount }}，请在此还款：{{ pay_url }}"),
    ),
    "money_held": Wording(
        ("amount",),
        Words(
            "We keep your money for you",
            "We have received {{ amount }} from you, and nothing is due for it now. We keep it for what falls "
            "due next; if you want it back, tell us: {{ home_url }}",
        ),
        Words(
            "款项已收到，暂为您保管",
            "我们已收到您的款项 {{ amount }}，目前没有对应的到期款项，将用于您下一笔到期款项。如需退回，请告知我们："
            "{{ home_url }}",
        ),
    ),
    "money_returned": Wording(
        ("amount",),
        Words(
            "Your money is on its way back", "We are paying {{ amount }} back to the account it came from."
        ),
        Words("款项退回通知", "我们正将 {{ amount }} 退回至原付款账户。"),
    ),
    "purchase_captured": Wording(
        ("purchase", "amount", "tenor"),
        Words(
            "Your purchase",
            "Order {{ purchase }}: {{ amount }} was put on your credit line, to be paid in {{ tenor }} "
            "instalment{% if tenor != '1' %}s{% endif %}.",
        ),
        Words("消费提醒", "订单 {{ purchase }} 使用额度 {{ amount }}，分 {{ tenor }} 期还款。"),
    ),
    "refund_booked": Wording(
        ("purchase", "amount"),
        Words(
            "Your refund",
            "Order {{ purchase }}: a refund of {{ amount }} has been booked and lowers what you owe.",
        ),
        Words("退款已入账", "订单 {{ purchase }} 的退款 {{ amount }} 已入账，您的待还金额已相应减少。"),
    ),
    "loan_settled": Wording(
        ("loan",),
        Words("Paid off", "{{ loan }} is paid off in full. Thank you."),
        Words("借款已结清", "借款 {{ loan }} 已全部结清，谢谢。"),
    ),
    "reminder_before_due": Wording(
        ("amount", "due_on"),
        Words(
            "Your payment is due soon",
            "A reminder: {{ amount }} is due on {{ due_on }}. Pay here: {{ pay_url }} If you have paid "
            "already, "
            "there is nothing more to do.",
        ),
        Words(
            "还款提醒",
            "温馨提醒：您有 {{ amount }} 将于 {{ due_on }}到期。还款链接：{{ pay_url }} 如已还款请忽略。",
        ),
    ),
    "overdue_1": Wording(
        ("amount", "due_on"),
        Words(
            "Your payment is late",
            "{{ amount }} was due on {{ due_on }} and has not reached us. Please pay here: "
            "{{ pay_url }} If you have just "
            "paid, thank you: there is nothing more to do.",
        ),
        Words(
            "逾期提醒",
            "您应于 {{ due_on }}归还的款项尚未到账，待还 {{ amount }}。请在此还款：{{ pay_url }} 如刚刚"
            "还款请忽略。",
        ),
    ),
    "overdue_2": Wording(
        ("amount", "due_on"),
        Words(
            "Your payment is still open",
            "{{ amount }}, due since {{ due_on }}, is still open. Please pay here: {{ pay_url }} If "
            "you cannot pay all of it "
            "now, talk to us and we will look for a way: {{ home_url }}",
        ),
        Words(
            "逾期未还提醒",
            "您自 {{ due_on }}起有 {{ amount }} 尚未归还。请在此还款：{{ pay_url }} "
            "如暂时无法全部还清，请与我们联系，一起商量办法：{{ home_url }}",
        ),
    ),
    "demand": Wording(
        ("amount", "due_on", "pay_by"),
        Words(
            "Request for payment",
            "{{ amount }}, due since {{ due_on }}, is still open. Please pay by {{ pay_by }}: {{ pay_url }}",
            "This is a formal request for payment.\n\n"
            "Open amount: {{ amount }}\nDue since: {{ due_on }}\nPlease pay by: {{ pay_by }}\nHow to "
            "pay: {{ pay_url }}\n\n"
            "If you believe that the amount is wrong, or if you cannot pay it at once, please tell us "
            "before that day: "
            "{{ home_url }}. We will answer, and where we can we will agree on a plan with you. If you "
            "have paid already, "
            "please regard this letter as settled.",
        ),
        Words(
            "还款通知书",
            "您自 {{ due_on }}起有 {{ amount }} 尚未归还，请于 {{ pay_by }}前还款：{{ pay_url }}",
            "现就您的逾期款项正式通知如下：\n\n"
            "待还金额：{{ amount }}\n到期日：{{ due_on }}\n请于此日前还款：{{ pay_by }}\n还款方式："
            "{{ pay_url }}\n\n"
            "如您对金额有异议，或暂时无法一次还清，请在上述日期前告知我们：{{ home_url }}。我们会予以答复，"
            "并尽可能与您商定还款安排。如已还款，请忽略本通知。",
        ),
    ),
    "legal_notice": Wording(
        ("amount", "due_on", "pay_by"),
        Words(
            "Notice before a claim is filed",
            "{{ amount }}, due since {{ due_on }}, is still open. If it stays unpaid after "
            "{{ pay_by }}, we intend to ask a "
            "court to decide. You can still pay or talk to us: {{ pay_url }}",
            "We have not received your payment in spite of our earlier letters.\n\n"
            "Open amount: {{ amount }}\nDue since: {{ due_on }}\nHow to pay: {{ pay_url }}\n\n"
            "If the amount stays unpaid after {{ pay_by }}, we intend to ask the court that is "
            "competent under the "
            "contract to decide on our claim. Until then, and also afterwards, you can pay, object to "
            "the amount, or agree "
            "on a plan with us: {{ home_url }}. You are free to take advice from a lawyer.",
        ),
        Words(
            "起诉前通知",
            "您自 {{ due_on }}起有 {{ amount }} 尚未归还。如 {{ pay_by }}后仍未还款，我们拟依合同向法院"
            "提起诉讼。"
            "您仍可还款或与我们协商：{{ pay_url }}",
            "经此前通知，我们仍未收到您的还款，现告知如下：\n\n"
            "待还金额：{{ amount }}\n到期日：{{ due_on }}\n还款方式：{{ pay_url }}\n\n"
            "如 {{ pay_by }}后仍未还款，我们拟依合同约定向有管辖权的法院提起诉讼。在此之前及之后，您都"
            "可以还款、"
            "对金额提出异议或与我们协商还款安排：{{ home_url }}。您也可以咨询律师。",
        ),
    ),
    "promise_kept": Wording(
        ("amount",),
        Words("Thank you for your payment", "You paid {{ amount }} as agreed. Thank you."),
        Words("感谢您按约还款", "您已按约定归还 {{ amount }}，谢谢。"),
    ),
    "promise_broken": Wording(
        ("amount", "due_on"),
        Words(
            "The agreed payment has not arrived",
            "We agreed on a payment of {{ amount }} by {{ due_on }}, and it has not arrived in full. "
            "Please pay here: "
            "{{ pay_url }} If something has come up, talk to us: {{ home_url }}",
        ),
        Words(
            "约定还款未到账",
            "您约定于 {{ due_on }}前归还 {{ amount }}，款项尚未全部到账。请在此还款：{{ pay_url }} "
            "如遇困难，请与我们联系：{{ home_url }}",
        ),
    ),
}

VARIABLES: dict[str, tuple[str, ...]] = {code: wording.needs for code, wording in WORDINGS.items()}

MAIL = {
    ENGLISH: "Dear {{ name }},\n\n%s\n\nYours sincerely,\n{{ site }}",
    CHINESE: "尊敬的 {{ name }}：\n\n%s\n\n{{ site }}",
}
SMS = {ENGLISH: "{{ site }}: %s", CHINESE: "【{{ site }}】%s"}


# Words that have no place in a message to a debtor: threats, shame, borrowed authority, pressure through
# others.
BANNED = (
    *(
        "police",
        "arrest",
        "jail",
        "prison",
        "criminal",
        "blacklist",
        "shame",
        "expose",
        "your family",
        "your employer",
    ),
    *(
        "公安",
        "警察",
        "逮捕",
        "拘留",
        "坐牢",
        "刑事",
        "黑名单",
        "失信",
        "曝光",
        "老赖",
        "家人",
        "工作单位",
        "后果自负",
        "上门",
    ),
)


def templates() -> Iterator[NoticeTemplate]:
    """Version 1 of every template, unsaved."""
    for code, wording in WORDINGS.items():
        for language, words in ((ENGLISH, wording.en), (CHINESE, wording.zh)):
            bodies = {
                "SMS": SMS[language] % words.text,
                "IN_APP": words.text,
                "EMAIL": MAIL[language] % (words.letter or words.text),
            }
            if words.letter:
                bodies["LETTER"] = MAIL[language] % words.letter
            for channel, body in bodies.items():
                yield NoticeTemplate(
                    code=code, channel=channel, language=language, subject=words.subject, body=body
                )


def install() -> None:
    """Bring in what is missing; words that somebody changed since (a later version) stay in force."""
    NoticeTemplate.objects.bulk_create(templates(), ignore_conflicts=True)
