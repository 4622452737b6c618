"""The worked figures of docs/algorithms: a table under `<!-- figures NAME -->` is a list of cases for a test."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "algorithms"


def cases(document: str, name: str) -> list[list[str]]:
    """The cells of each row, without the head; code marks and escapes are taken off."""
    text = (FOLDER / document).read_text(encoding="utf-8")
    found = re.search(rf"<!-- figures {name} -->\n((?:\|.*\n)+)", text)
    assert found, f"{document} has no table of figures called {name}"
    return [_cells(line) for line in found[1].splitlines()[2:]]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [cell.strip().strip("`").replace("\\|", "|") for cell in cells]
