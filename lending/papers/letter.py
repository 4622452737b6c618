"""The letter of a decline as a PDF: why, what was looked at, and what the customer can do about it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, override

from lending import words
from lending.papers.pdf import Page, put_facts, put_heading


def fingerprint(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter in words of the active language, ready to be set."""

    title: str
    head: list[tuple[str, str]]
    opening: str
    reasons: list[str]
    how: str
    rights: list[str]


def read(content: dict[str, Any], decided_at: datetime) -> Letter:
    """Put the content of a letter (see `render`) into words."""
    return Letter(
        title=gettext("About your application"),
        head=_head(content, decided_at),
        opening=gettext("We cannot offer you this credit now."),
        reasons=[f"{n}. {words.reason(code)}" for n, code in enumerate(content["reasons"], start=1)],
        how=_how(content),
        rights=_rights(content),
    )


def render(content: dict[str, Any], *, language: str, decided_at: datetime) -> bytes:
    """The letter in that language. The same arguments give the same bytes.

    `content` has `lender`, `customer`, `application`, `product` and `product_zh`, `amount`, `currency`,
    `reasons` (codes, the one that weighed most first), `automatic` (no person took part) and `reviewed` (a person
    looked again).
    """
    with override(language):
        letter = read(content, decided_at)
        page = Page(f"SHA-256 {fingerprint(content)}", decided_at)
        page.set_lang(language)
        page.set_title(letter.title)
        page.add_page()
        page.write_line(content["lender"], 9, after=6)
        page.write_line(letter.title, 18, after=2)
        put_facts(page, letter.head)
        page.write_line(letter.opening, 11, after=1)
        put_heading(page, gettext("The reasons, the one that weighed most first"))
        for text in letter.reasons:
            page.write_line(text, 10, after=1)
        put_heading(page, gettext("How it was decided"))
        page.write_line(letter.how, 9, after=1)
        put_heading(page, gettext("What you can do"))
        for text in letter.rights:
            page.write_line(text, 9, after=1)
        return bytes(page.output())


def _head(content: dict[str, Any], decided_at: datetime) -> list[tuple[str, str]]:
    chinese = (get_language() or "").startswith("zh")
    return [
        (gettext("Addressee"), content["customer"]),
        (gettext("Application"), content["application"]),
        (gettext("Product"), content["product_zh" if chinese else "product"]),
        (gettext("Amount asked for"), words.money(content["amount"], content["currency"])),
        (gettext("Decided on"), date_format(decided_at, "DATE_FORMAT")),
    ]


def _how(content: dict[str, Any]) -> str:
    if content["automatic"]:
        return gettext(
            "The decision was made automatically from what you told us and from what you agreed that we may look at. "
            "Advertising and membership data took no part in it."
        )
    return gettext("A person decided, from what you told us and from what you agreed that we may look at.")


def _rights(content: dict[str, Any]) -> list[str]:
    if content["reviewed"]:
        first = gettext("A person has looked at your application again, as you asked.")
    else:
        first = gettext(
            "You may ask a person to decide again, on the page of your application. It costs nothing "
            "(Personal Information Protection Law, article 24)."
        )
    return [
        first,
        gettext("If something that we know about you is wrong, tell us: we correct it and look again."),
        gettext("You are welcome to apply again once things have changed."),
    ]
