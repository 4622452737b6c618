"""Translations without the gettext programs: Django uses xgettext, which Debian's basics lack.

python -m config.messages update [DRAFT.po ...] | check | compile
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message, TranslationError
from babel.messages.checkers import checkers
from babel.messages.extract import DEFAULT_KEYWORDS, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ["zh_Hans"]
PYTHON_FOLDERS = ["config", "lending", "risk", "collections/dunning"]
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLURALS = {"ngettext", "ngettext_lazy", "npgettext", "npgettext_lazy"}


def path_of(locale: str) -> Path:
    return ROOT / "locale" / locale / "LC_MESSAGES" / "django.po"


def sources() -> Iterator[tuple[str, bytes]]:
    """Every file that speaks to people, as Python that Babel can read."""
    from django.utils.translation.template import templatize

    for folder in PYTHON_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_bytes()
    for suffix in ("html", "txt"):
        for path in sorted((ROOT / "templates").rglob(f"*.{suffix}")):
            # In brackets, so that the indentation of a template means nothing to Python.
            yield str(path.relative_to(ROOT)), f"({templatize(path.read_text())}\n)".encode()


def extract() -> Catalog:
    catalog = Catalog(project="OpenTab")
    for name, text in sources():
        for _line, function, words, _notes in extract_python(io.BytesIO(text), KEYWORDS, [], {}):
            if message := _message(function, words):
                text_id, context = message
                catalog.add(text_id, context=context, locations=[(name, 0)])
    return catalog


def _message(function: Any, words: Any) -> tuple[str | tuple[str, str], str | None] | None:
    """The identity of a message: its text (with its plural), and its context."""
    parts = list(words) if isinstance(words, tuple) else [words]
    context = parts.pop(0) if "pgettext" in function else None
    texts = parts[:2] if function in PLURALS else parts[:1]
    if not texts or not all(texts):
        return None
    return (texts[0] if len(texts) == 1 else (texts[0], texts[1])), context


def load(locale: str) -> Catalog:
    path = path_of(locale)
    if not path.exists():
        return Catalog(locale=locale, project="OpenTab", header_comment=f"# OpenTab: {locale}", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def update(*drafts: str) -> list[str]:
    """Bring the catalogues up to date: new messages come in empty, gone ones leave.

    Translations in `drafts`, other .po files, fill what is empty and replace what is there.
    """
    template = extract()
    for locale in LOCALES:
        catalog = load(locale)
        # A date that changed on every run would only be in the way of reading what did change.
        template.creation_date = catalog.creation_date
        catalog.update(template, no_fuzzy_matching=True)
        for draft in drafts:
            _fill(catalog, Path(draft))
        path_of(locale).parent.mkdir(parents=True, exist_ok=True)
        with path_of(locale).open("wb") as file:
            write_po(file, catalog, no_location=True, sort_output=True, ignore_obsolete=True, width=110)
    return []


def _fill(catalog: Catalog, draft: Path) -> None:
    with draft.open("rb") as file:
        for message in read_po(file, locale=catalog.locale):
            ours = catalog.get(message.id, message.context) if message.id else None
            if ours and message.string:
                ours.string = message.string


def check() -> list[str]:
    """Say what is missing, superfluous or wrong in each language."""
    template = extract()
    problems = []
    for locale in LOCALES:
        catalog = load(locale)
        problems += [f"{locale}: not in the catalogue: {m.id!r}" for m in _absent(template, catalog)]
        problems += [f"{locale}: no longer used: {m.id!r}" for m in _absent(catalog, template)]
        problems += [f"{locale}: {what}: {m.id!r}" for m in catalog if m.id for what in _faults(catalog, m)]
    return problems


def _absent(these: Catalog, those: Catalog) -> list[Message]:
    return [message for message in these if message.id and not those.get(message.id, message.context)]


def _faults(catalog: Catalog, message: Message) -> Iterator[str]:
    words = message.string if isinstance(message.string, tuple | list) else [message.string]
    if not words or not all(words):
        yield "not translated"
        return
    if message.fuzzy:
        yield "fuzzy"
    for checker in checkers:
        try:
            checker(catalog, message)
        except TranslationError as fault:
            yield str(fault)


def compile_all() -> list[str]:
    """Write the .mo files that Django reads, where they are older than their source."""
    for locale in LOCALES:
        source = path_of(locale)
        target = source.with_suffix(".mo")
        if source.exists() and (not target.exists() or target.stat().st_mtime < source.stat().st_mtime):
            draft = target.with_suffix(".draft")
            with draft.open("wb") as file:
                write_mo(file, load(locale))
            draft.replace(target)
    return []


COMMANDS = {"update": update, "check": check, "compile": compile_all}


def main(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(f"Usage: python -m config.messages {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    problems = command(*arguments[1:])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
