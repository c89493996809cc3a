"""CFI codes (ISO 10962): six letters, each position with the meaning that the one before it gives it.

Category, group, then four attributes. All of it comes from the code set in `ISO_10962_CFI.json`; of our
own are only the words that people use for kinds of instruments. `X` at an attribute's place means
"not applicable or undefined", whether the table lists it there or not: that is the standard's rule.
"""

import dataclasses
import functools
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

TABLE = Path(__file__).parent / "ISO_10962_CFI.json"
LENGTH = 6
UNDEFINED = "X"
ANY = "*"

# Kinds of instruments as people name them: the beginnings of their CFI codes.
BUSINESS_TYPES = {
    "equity": ("E",),
    "share": ("ES", "EP", "EC", "EF"),
    "depositary_receipt": ("ED", "DD", "RD"),
    "debt": ("D",),
    "bond": ("DB", "DC", "DW", "DT", "DG", "DA", "DN"),
    "money_market": ("DY",),
    "structured_product": ("EY", "DS", "DE", "RF"),
    "fund": ("C",),
    "etf": ("CE",),
    "right": ("R",),
    "warrant": ("RW",),
    "future": ("F",),
    "option": ("O", "H"),
    "swap": ("S",),
    "forward": ("J",),
    "spot": ("I",),
    "strategy": ("K",),
    "financing": ("L",),
    "referential": ("T",),
    "other": ("M",),
}


class BadCfi(ValueError):
    """Not a CFI code, or not a pattern of codes; `str()` says why."""


@dataclasses.dataclass(frozen=True)
class Attribute:
    """What the letter at `position` (3 to 6) says within a group; `values` are letter and meaning."""

    position: int
    name: str
    values: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Group:
    """The second letter: `code` has both, as `ES`."""

    code: str
    name: str
    description: str
    attributes: tuple[Attribute, ...]


@dataclasses.dataclass(frozen=True)
class Category:
    """The first letter."""

    code: str
    name: str
    description: str
    groups: Mapping[str, Group]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A position (1 to 6) whose letter the table does not have, and the letters it has there."""

    position: int
    letter: str
    allowed: Mapping[str, str]

    def __str__(self) -> str:
        known = ", ".join(f"{letter} ({short(said)})" for letter, said in self.allowed.items())
        return f"position {self.position} is {self.letter}; allowed there: {known}"


@dataclasses.dataclass(frozen=True)
class Said:
    """What one attribute of a code says; `meaning` is None for a letter that the table lacks."""

    position: int
    name: str
    letter: str
    meaning: str | None


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A code and what it says, as far as the table goes; `problems` is empty where it goes all the way."""

    code: str
    category: Category | None
    group: Group | None
    attributes: tuple[Said, ...]
    problems: tuple[Problem, ...]


@functools.cache
def categories() -> Mapping[str, Category]:
    """The whole table, by category letter."""
    with TABLE.open(encoding="utf-8") as source:
        found = json.load(source)["categories"]
    return {raw["code"]: _category(raw) for raw in found}


def _category(raw: Mapping[str, object]) -> Category:
    code, groups = str(raw["code"]), raw["groups"]
    if not isinstance(groups, list):
        raise TypeError(f"{TABLE.name}: category {code} has no list of groups")
    known = (_group(code, group) for group in groups)
    return Category(code, *_texts(raw), groups={group.code: group for group in known})


def _group(letter: str, raw: Mapping[str, object]) -> Group:
    attributes = (_attribute(place, raw[f"attribute{place - 2}"]) for place in range(3, LENGTH + 1))
    return Group(letter + str(raw["code"]), *_texts(raw), attributes=tuple(attributes))


def _texts(raw: Mapping[str, object]) -> tuple[str, str]:
    return str(raw["name"]).strip(), str(raw["description"]).strip()


def _attribute(position: int, raw: object) -> Attribute:
    if not isinstance(raw, dict):
        raise TypeError(f"{TABLE.name}: position {position} of a group has no attribute")
    values = {value["code"]: value["description"].strip() for value in raw["attributeValues"]}
    values.setdefault(UNDEFINED, "Not applicable/undefined")
    return Attribute(position, raw["attributeName"].strip(), values)


def groups() -> Mapping[str, Group]:
    """All groups, by their two letters."""
    return {code: group for one in categories().values() for code, group in one.groups.items()}


def short(meaning: str) -> str:
    """A meaning without its explanation: `Voting (each share has one vote)` -> `Voting`."""
    return re.split(r"\s*[(\[]", meaning, maxsplit=1)[0] or meaning


def decode(text: str) -> Decoded:
    """Say what a code means, in any case of letters. Raises BadCfi where it is not six letters."""
    code = text.strip().upper()
    if len(code) != LENGTH:
        raise BadCfi(f"a CFI code has six letters, {code!r} has {len(code)} characters")
    for position, letter in enumerate(code, start=1):
        if not re.fullmatch("[A-Z]", letter):
            raise BadCfi(f"position {position} of {code!r} is not one of the letters A to Z")
    category = categories().get(code[0])
    if category is None:
        return Decoded(code, None, None, (), (Problem(1, code[0], category_names()),))
    group = category.groups.get(code[:2])
    if group is None:
        allowed = {known[1]: found.name for known, found in category.groups.items()}
        return Decoded(code, category, None, (), (Problem(2, code[1], allowed),))
    pairs = list(zip(group.attributes, code[2:], strict=True))
    said = (Said(a.position, a.name, letter, a.values.get(letter)) for a, letter in pairs)
    wrong = (Problem(a.position, x, a.values) for a, x in pairs if x not in a.values)
    return Decoded(code, category, group, tuple(said), tuple(wrong))


def category_names() -> dict[str, str]:
    """Letter and name of each category."""
    return {letter: category.name for letter, category in categories().items()}


def pattern_of(text: str) -> str:
    """`es` -> `ES****`: a beginning, or letters and stars, as a pattern of six. Raises BadCfi."""
    pattern = text.strip().upper()
    if not re.fullmatch(r"[A-Z*]{1,6}", pattern):
        raise BadCfi(f"{text.strip()!r} is not one to six letters, with * for any letter")
    return pattern.ljust(LENGTH, ANY)


def expand(pattern: str) -> Iterator[str]:
    """Every valid code that matches a pattern of six, in the order of the table."""
    for choices in _choices(pattern):
        yield from map("".join, itertools.product(*choices))


def count(pattern: str) -> int:
    """How many codes `expand` yields."""
    return sum(math.prod(map(len, choices)) for choices in _choices(pattern))


def _choices(pattern: str) -> Iterator[list[str | list[str]]]:
    """For each group that matches: its two letters, and the letters of each attribute that match."""
    for code, group in groups().items():
        if _matches(pattern[0], code[0]) and _matches(pattern[1], code[1]):
            wanted = zip(group.attributes, pattern[2:], strict=True)
            letters = [[x for x in a.values if _matches(w, x)] for a, w in wanted]
            yield [code[0], code[1], *letters]


def _matches(wanted: str, letter: str) -> bool:
    return wanted in (ANY, letter)


def attribute_patterns(wanted: str) -> list[str]:
    """The patterns of codes with an attribute of this meaning; none where there is no such meaning.

    `voting`, or `voting right: voting` where the name of the attribute matters. A meaning is given in
    full or without its explanation, in any case.
    """
    name, _, meaning = (part.strip().casefold() for part in wanted.rpartition(":"))
    found = []
    for code, group in groups().items():
        for attribute in group.attributes:
            if name in ("", attribute.name.casefold()):
                for letter, said in attribute.values.items():
                    if meaning in (said.casefold(), short(said).casefold()):
                        at = attribute.position - 1
                        found.append(f"{code.ljust(at, ANY)}{letter}".ljust(LENGTH, ANY))
    return found


@functools.cache
def meanings() -> tuple[str, ...]:
    """Every meaning that an attribute can have, in short."""
    values = (
        said for group in groups().values() for a in group.attributes for said in a.values.values()
    )
    return tuple(sorted({short(said) for said in values}))
