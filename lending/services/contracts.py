"""The signed cost sheet: kept at acceptance, and handed out later as it was."""

import hashlib
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import ContractDocument, Offer, User
from lending.papers import pdf
from lending.services import sheets

# How a sheet is set on a page and in the file; a new look is a new number, and the files made before stay.
TEMPLATE_VERSION = 1
TAMPERED = _("This sheet does not match its fingerprint. It is not handed out; tell the compliance officer.")


def signed(offer: Offer, *, language: str) -> ContractDocument:
    """What the customer has just confirmed, to be kept. Called by `offers.accept_many` under the offer's lock.

    Refused when the sheet is not complete, or not the one whose fingerprint the offer carries.
    """
    assert offer.shown_at and offer.accepted_at  # the caller has checked the one and set the other
    sheets.check(offer.sheet)
    if sheets.fingerprint(offer.sheet) != offer.sheet_sha256:
        raise Refused(
            "sheet_changed", _("The cost sheet is not the one that was made: nothing can be signed on it.")
        )
    return ContractDocument(
        offer=offer,
        content=offer.sheet,
        template_version=TEMPLATE_VERSION,
        language=language,
        sha256=offer.sheet_sha256,
        shown_at=offer.shown_at,
        confirmed_at=offer.accepted_at,
    )


def is_whole(document: ContractDocument) -> bool:
    """Whether content and file are those of the fingerprints, and the content the one that was confirmed."""
    content = sheets.fingerprint(document.content) == document.sha256 == document.offer.sheet_sha256
    return content and (document.file is None or _sha256(document.file) == document.file_sha256)


@transaction.atomic
def file(*, document_id: int) -> bytes:
    """The signed sheet as a PDF: made when it is first asked for, the same bytes ever after.

    Raises Refused when the content or the file is not what it was.
    """
    document = (
        ContractDocument.objects.select_for_update(no_key=True, of=("self",))
        .select_related("offer")
        .get(pk=document_id)
    )
    if not is_whole(document):
        raise Refused("tampered", TAMPERED)
    if document.file is None:
        document.file = _render(document)
        document.file_sha256 = _sha256(document.file)
        document.save(update_fields=["file", "file_sha256"])
    return bytes(document.file)


@transaction.atomic
def reveal(*, document_id: int, by: User, at: datetime) -> bytes:
    """The same for a member of the staff, written down."""
    content = file(document_id=document_id)
    document = ContractDocument.objects.select_related("offer__application").get(pk=document_id)
    facts = {"document": document.pk, "title": "cost sheet", "sha256": document.file_sha256}
    events.record("document.revealed", document.offer.application, by=by, at=at, **facts)
    return content


def draft_file(offer: Offer, *, language: str) -> bytes:
    """The sheet of an offer that is not accepted yet, for reading."""
    return pdf.render(
        offer.sheet, language=language, sha256=offer.sheet_sha256, made_at=offer.made_at, signature=None
    )


def _render(document: ContractDocument) -> bytes:
    signature = pdf.Signature(_moment(document.shown_at), _moment(document.confirmed_at))
    return pdf.render(
        document.content,
        language=document.language,
        sha256=document.sha256,
        made_at=document.confirmed_at,
        signature=signature,
    )


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"


def _sha256(content: bytes | memoryview) -> str:
    return hashlib.sha256(bytes(content)).hexdigest()
