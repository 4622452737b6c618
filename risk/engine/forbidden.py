"""What nobody may be judged by: sex, ethnicity, religion and the like, under whatever name they come.

PIPL art. 24 asks for fair automated decisions and art. 28 sets such data apart; Regulation B (12 CFR 1002.6) and the
European consumer credit directive (2023/2225, art. 18) forbid it outright.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# By what it is, the words that name it in a column or a fact.
WORDS: Mapping[str, frozenset[str]] = {
    "SEX": frozenset({"sex", "gender", "male", "female", "woman", "women", "性别"}),
    "ETHNICITY": frozenset({"ethnicity", "ethnic", "race", "racial", "tribe", "caste", "民族", "种族"}),
    "NATIONALITY": frozenset({"nationality", "birthplace", "国籍", "籍贯"}),
    "RELIGION": frozenset({"religion", "religious", "faith", "church", "宗教", "信仰"}),
    "OPINION": frozenset({"political", "politics", "union", "政治"}),
    "HEALTH": frozenset(
        {"health", "disability", "disabled", "illness", "pregnant", "genetic", "健康", "残疾"}
    ),
    "FAMILY": frozenset({"marital", "married", "divorced", "orientation", "婚姻", "婚育"}),
}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[\u4e00-\u9fff]+")
_TEXT = re.compile(r"""r?"(?:\\.|[^"\\])*"|r?'(?:\\.|[^'\\])*'""")
_NAME = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w.]*")


def kind_of(name: str) -> str | None:
    """What forbidden thing a name speaks of, or None: `applicant_sex` and `genderCode` do, `essex` does not."""
    parts = {part.lower() for part in _PART.findall(name)}
    for kind, words in WORDS.items():
        if parts & words or any(word in name for word in words if _CHINESE.match(word)):
            return kind
    return None


def named(names: Iterable[str]) -> list[str]:
    """Those of the names that speak of something forbidden, in order, each once."""
    return [name for name in dict.fromkeys(names) if kind_of(name)]


def in_expression(expression: str) -> list[str]:
    """The forbidden names that an expression asks for; what stands in quotes is a value and no name."""
    return named(_NAME.findall(_TEXT.sub("''", expression)))


def in_matrix(matrix: Any) -> list[str]:
    """The forbidden names among the keys of a matrix of limits or prices, however deep."""
    return named(_keys(matrix))


def _keys(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield str(key)
            yield from _keys(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _keys(below)
