"""CFI codes (ISO 10962): six letters, of which each gets its meaning from the letters before it.

The first letter is the category, the second the group, and the other four are attributes of the group. The
table is the code set of ISO 10962:2019 (`ISO_10962_CFI.json`). Instruments keep the code of the edition
that they were classified by, so values of other editions (`other_editions.json`) are decoded too, and
marked with their edition. Of our own are only the everyday words for kinds of instruments. `X` in place
of an attribute means "not applicable or undefined" in the standard, whether the table lists it or not.
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
OTHER_EDITIONS = Path(__file__).parent / "other_editions.json"
EDITION = "2019"
LENGTH = 6
UNDEFINED = "X"
ANY = "*"

# Everyday words for kinds of instruments, each with the beginnings of its CFI codes.
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
    """A text is not a CFI code or not a pattern of codes; the message says why."""


@dataclasses.dataclass(frozen=True)
class Attribute:
    """The attribute of a group at `position` (3 to 6); `values` maps letters to meanings.

    `other_editions` maps letters that ISO 10962:2019 lacks to their meaning and edition.
    """

    position: int
    name: str
    values: Mapping[str, str]
    other_editions: Mapping[str, tuple[str, str]]

    def meaning_of(self, letter: str) -> tuple[str | None, str | None]:
        """Return the meaning of a letter and its edition; None and None for an unknown letter."""
        if letter in self.values:
            return self.values[letter], EDITION
        return self.other_editions.get(letter, (None, None))


@dataclasses.dataclass(frozen=True)
class Group:
    """A group; `code` is both letters, as `ES`."""

    code: str
    name: str
    description: str
    attributes: tuple[Attribute, ...]


@dataclasses.dataclass(frozen=True)
class Category:
    """A category; `code` is its letter."""

    code: str
    name: str
    description: str
    groups: Mapping[str, Group]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A letter that no edition has at its position (1 to 6), and the letters allowed there."""

    position: int
    letter: str
    allowed: Mapping[str, str]

    def __str__(self) -> str:
        known = ", ".join(f"{letter} ({short(name)})" for letter, name in self.allowed.items())
        return f"position {self.position} is {self.letter}; allowed there: {known}"


@dataclasses.dataclass(frozen=True)
class DecodedAttribute:
    """The meaning of one letter of a code; `meaning` and `edition` are None where no edition has it."""

    position: int
    name: str
    letter: str
    meaning: str | None
    edition: str | None


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A code with the meaning of each letter; `problems` is empty where every letter has one."""

    code: str
    category: Category | None
    group: Group | None
    attributes: tuple[DecodedAttribute, ...]
    problems: tuple[Problem, ...]

    @property
    def edition(self) -> str | None:
        """The edition of ISO 10962 that has every letter; None where none has.

        The other edition where a letter is missing from the current one.
        """
        if self.problems:
            return None
        other = {a.edition for a in self.attributes if a.edition not in (EDITION, None)}
        return min(other) if other else EDITION


@functools.cache
def categories() -> Mapping[str, Category]:
    """Return the whole table: categories by letter."""
    with TABLE.open(encoding="utf-8") as source:
        table = json.load(source)["categories"]
    return {raw["code"]: _category(raw) for raw in table}


@functools.cache
def _other_editions() -> Mapping[tuple[str, int], dict[str, tuple[str, str]]]:
    """Return the values of other editions by group and position: letter to meaning and edition."""
    with OTHER_EDITIONS.open(encoding="utf-8") as source:
        rows = json.load(source)["values"]
    values: dict[tuple[str, int], dict[str, tuple[str, str]]] = {}
    for row in rows:
        attribute = values.setdefault((row["group"], row["position"]), {})
        attribute[row["letter"]] = (row["meaning"], row["edition"])
    return values


def _category(raw: Mapping[str, object]) -> Category:
    code, groups = str(raw["code"]), raw["groups"]
    if not isinstance(groups, list):
        raise TypeError(f"{TABLE.name}: category {code} has no list of groups")
    known = (_group(code, group) for group in groups)
    return Category(code, *_texts(raw), groups={group.code: group for group in known})


def _group(category: str, raw: Mapping[str, object]) -> Group:
    code = category + str(raw["code"])
    attributes = (
        _attribute(code, position, raw[f"attribute{position - 2}"])
        for position in range(3, LENGTH + 1)
    )
    return Group(code, *_texts(raw), attributes=tuple(attributes))


def _texts(raw: Mapping[str, object]) -> tuple[str, str]:
    return str(raw["name"]).strip(), str(raw["description"]).strip()


def _attribute(group: str, position: int, raw: object) -> Attribute:
    if not isinstance(raw, dict):
        raise TypeError(f"{TABLE.name}: position {position} of a group has no attribute")
    values = {value["code"]: value["description"].strip() for value in raw["attributeValues"]}
    values.setdefault(UNDEFINED, "Not applicable/undefined")
    other = _other_editions().get((group, position), {})
    return Attribute(position, raw["attributeName"].strip(), values, other)


def groups() -> Mapping[str, Group]:
    """Return all groups, by their two letters."""
    return {
        code: group for category in categories().values() for code, group in category.groups.items()
    }


def short(meaning: str) -> str:
    """Return a meaning without its explanation: `Voting (each share has one vote)` -> `Voting`."""
    return re.split(r"\s*[(\[]", meaning, maxsplit=1)[0] or meaning


def decode(text: str) -> Decoded:
    """Decode a code, in upper or lower case. Raises BadCfi where it is not six letters."""
    code = text.strip().upper()
    if len(code) != LENGTH:
        raise BadCfi(f"a CFI code has six letters, {code!r} has {len(code)}")
    for position, letter in enumerate(code, start=1):
        if not re.fullmatch("[A-Z]", letter):
            raise BadCfi(f"position {position} of {code!r} is not one of the letters A to Z")
    category = categories().get(code[0])
    if category is None:
        return Decoded(code, None, None, (), (Problem(1, code[0], category_names()),))
    group = category.groups.get(code[:2])
    if group is None:
        allowed = {known[1]: g.name for known, g in category.groups.items()}
        return Decoded(code, category, None, (), (Problem(2, code[1], allowed),))
    attributes = tuple(
        DecodedAttribute(a.position, a.name, letter, *a.meaning_of(letter))
        for a, letter in zip(group.attributes, code[2:], strict=True)
    )
    problems = tuple(
        Problem(decoded.position, decoded.letter, attribute.values)
        for attribute, decoded in zip(group.attributes, attributes, strict=True)
        if decoded.meaning is None
    )
    return Decoded(code, category, group, attributes, problems)


def category_names() -> dict[str, str]:
    """Return letter and name of each category."""
    return {letter: category.name for letter, category in categories().items()}


def pattern_of(text: str) -> str:
    """Return a pattern of six letters and stars: `es` becomes `ES****`. Raises BadCfi."""
    pattern = text.strip().upper()
    if not re.fullmatch(r"[A-Z*]{1,6}", pattern):
        raise BadCfi(f"{text.strip()!r} is not one to six letters, with * for any letter")
    return pattern.ljust(LENGTH, ANY)


def expand(pattern: str) -> Iterator[str]:
    """Yield every code of ISO 10962:2019 that matches a pattern of six, in the order of the table."""
    for choices in _choices(pattern):
        yield from map("".join, itertools.product(*choices))


def count(pattern: str) -> int:
    """Return the number of codes that `expand` yields."""
    return sum(math.prod(map(len, choices)) for choices in _choices(pattern))


def _choices(pattern: str) -> Iterator[list[str | list[str]]]:
    """Yield for each matching group its two letters and the matching letters of each attribute."""
    for code, group in groups().items():
        if matches(pattern[:2], code):
            yield [
                code[0],
                code[1],
                *(
                    [letter for letter in attribute.values if matches(wildcard, letter)]
                    for attribute, wildcard in zip(group.attributes, pattern[2:], strict=True)
                ),
            ]


def matches(pattern: str, letters: str) -> bool:
    """Return whether letters match as much of a pattern as there are letters."""
    return all(p in (ANY, letter) for p, letter in zip(pattern, letters, strict=False))


def attribute_patterns(attribute: str) -> list[str]:
    """Return the patterns of codes with an attribute of this meaning; empty for an unknown meaning.

    `voting`, or `voting right: voting` where the name of the attribute matters. A meaning is given in
    full or without its explanation, in any case.
    """
    name, _, meaning = (part.strip().casefold() for part in attribute.rpartition(":"))
    patterns = []
    for code, group in groups().items():
        for candidate in group.attributes:
            if name in ("", candidate.name.casefold()):
                for letter, text in _all_values(candidate):
                    if meaning in (text.casefold(), short(text).casefold()):
                        start = code.ljust(candidate.position - 1, ANY)
                        patterns.append(f"{start}{letter}".ljust(LENGTH, ANY))
    return patterns


@functools.cache
def meanings() -> tuple[str, ...]:
    """Return every meaning that an attribute can have, without explanations, sorted."""
    texts = (
        text
        for group in groups().values()
        for attribute in group.attributes
        for _, text in _all_values(attribute)
    )
    return tuple(sorted({short(text) for text in texts}))


def _all_values(attribute: Attribute) -> Iterator[tuple[str, str]]:
    """Yield letter and meaning of every edition."""
    yield from attribute.values.items()
    for letter, (meaning, _) in attribute.other_editions.items():
        yield letter, meaning
