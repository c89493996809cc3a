"""The tags in a piece of XML, found with numpy: some thousands at a time, at a small part of the cost of
parsing.

A piece holds elements and text only (`cleaning.py`). It begins with a tag, and ends where another one begins.
"""

import dataclasses
import re

import numpy as np

_LESS, _GREATER, _SLASH, _EQUALS = b"<>/="
# The characters before the `>` of a tag with attributes.
_ENDS_TAG = np.zeros(256, dtype=bool)
_ENDS_TAG[np.frombuffer(b"\"'/ \t\n", dtype=np.uint8)] = True
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")
_ESCAPES = {b">": b"&gt;", b'"': b"&quot;", b"'": b"&apos;"}
# The characters after the `<` of a tag: a slash, or the first one of a name.
_BEGINS_TAG = np.zeros(256, dtype=bool)
_BEGINS_TAG[np.frombuffer(b"/_:", dtype=np.uint8)] = True
_BEGINS_TAG[ord("A") : ord("Z") + 1] = _BEGINS_TAG[ord("a") : ord("z") + 1] = True
_BEGINS_TAG[128:] = True  # letters beyond ASCII, in UTF-8
_SPACE = 0x20


class IllFormed(Exception):
    """A piece is not XML: `place` is an offset in it, `problem` says what is wrong."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Tags:
    """The tags of a piece. The arrays have an entry per tag, in order."""

    opens: np.ndarray  # offset of `<`
    closes: np.ndarray  # offset of `>`
    ends: np.ndarray  # offset of the next `<`, or the end of the piece
    is_end: np.ndarray  # an end tag, as </Id>
    is_empty: np.ndarray  # an empty element, as <Id/>
    attributes: int  # number of `=` in tags
    has_open_quote: bool  # an attribute value holds a `>`, which was taken for the end of the tag

    def __len__(self) -> int:
        return len(self.opens)

    def levels(self, before: int) -> np.ndarray:
        """Return how many elements are open after each tag, where `before` were before the first."""
        change = np.ones(len(self), dtype=np.int32)
        change[self.is_end] = -1
        change[self.is_empty] = 0
        levels: np.ndarray = before + np.cumsum(change)
        return levels

    def name(self, piece: bytes, number: int) -> str:
        """Return the local name of a tag."""
        inside = piece[self.opens[number] + 1 : self.closes[number]].lstrip(b"/").rstrip(b"/")
        name = inside.split(maxsplit=1)[0].rpartition(b":")[2]
        return name.decode("utf-8", "replace")[:100]


def find_tags(piece: bytes) -> Tags:
    """Find the tags of a piece. Raises IllFormed."""
    data = np.frombuffer(piece, dtype=np.uint8)
    opens = np.flatnonzero(data == _LESS)
    closes = np.flatnonzero(data == _GREATER)
    ends = np.append(opens[1:], len(data))
    if len(opens) != len(closes) or (closes < opens).any() or (closes >= ends).any():
        closes = _first_after(closes, opens, ends)
    following = data[opens + 1]
    if not (begins_tag := _BEGINS_TAG[following]).all():
        number = int(np.flatnonzero(~begins_tag)[0])
        raise IllFormed(int(opens[number]), "a `<` is not followed by the name of an element")
    equals = np.flatnonzero(data == _EQUALS)
    of_tags = np.searchsorted(opens, equals) - 1
    inside = of_tags >= 0
    inside[inside] = equals[inside] < closes[of_tags[inside]]
    last = data[closes[of_tags[inside]] - 1]
    return Tags(
        opens=opens,
        closes=closes,
        ends=ends,
        is_end=following == _SLASH,
        is_empty=data[closes - 1] == _SLASH,
        attributes=int(np.count_nonzero(inside)),
        has_open_quote=not _ENDS_TAG[last].all(),
    )


def _first_after(closes: np.ndarray, opens: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return for each `<` the first `>` after it: text may hold others."""
    places = np.searchsorted(closes, opens)
    first = np.append(closes, ends[-1:])[places]
    if (is_open := first >= ends).any():
        place = int(opens[np.flatnonzero(is_open)[0]])
        raise IllFormed(
            place, "a tag is not closed before the next `<`, or an attribute holds a `<`"
        )
    return first


def escape_quoted(piece: bytes) -> bytes:
    """Escape what stands in attribute values and looks like the end of a tag or a value."""
    return _TAG.sub(lambda tag: _escaped(tag[0]), piece)


def _escaped(tag: bytes) -> bytes:
    def value(quoted: "re.Match[bytes]") -> bytes:
        mark, inside = quoted[0][:1], quoted[0][1:-1]
        for character, escape in _ESCAPES.items():
            inside = inside.replace(character, escape)
        return mark + inside + mark

    return re.sub(rb""""[^"]*"|'[^']*'""", value, tag)


def is_blank(piece: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Tell for each range of a piece whether it holds white space only; no range may begin the piece.

    Control characters other than white space have been refused before.
    """
    visible = np.cumsum(np.frombuffer(piece, dtype=np.uint8) > _SPACE, dtype=np.int32)
    blank: np.ndarray = visible[starts - 1] == visible[ends - 1]
    return blank
