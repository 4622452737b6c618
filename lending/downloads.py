"""Handing out files: as attachments, never shown as pages of ours, and only as they were taken in."""

import hashlib

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused


def pdf(content: bytes, name: str) -> HttpResponse:
    """A PDF that was made by the house."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def check(file: FieldFile, sha256: str) -> None:
    """Raises Http404 when the file is gone, Refused when it is not the one that was handed in."""
    if not file.name or not file.storage.exists(file.name):
        raise Http404
    with file.open("rb") as stored:
        found = hashlib.file_digest(stored, "sha256").hexdigest()
    if found != sha256:
        raise Refused(
            "tampered", _("This file is not the one that was handed in. Tell the compliance officer.")
        )


def stored(file: FieldFile) -> FileResponse:
    """A file that somebody handed in, under its own name."""
    path = str(file.name)
    return FileResponse(
        file.storage.open(path, "rb"),
        as_attachment=True,
        filename=path.rpartition("/")[2],
        content_type="application/octet-stream",
    )
