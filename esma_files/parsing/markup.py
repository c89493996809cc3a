"""The tags in a piece of XML, found with numpy: some thousands at a time, at a small part of the cost of
parsing.

A piece holds elements and text only (`cleaning.py`). It begins with a tag, and ends where another one begins.
"""

import dataclasses
import functools
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
_WORD = 8
# Of a word of eight bytes: the low bits of each, the highest bit of each, and what carries a visible
# character (beyond the space) into its highest bit.
_LOW, _HIGH, _CARRY = (
    np.uint64(int.from_bytes(bytes([byte] * _WORD))) for byte in (0x7F, 0x80, 0x5F)
)
# The highest bits of the first bytes of a word, by their number.
_FIRST = np.array(
    [0x8080808080808080 & ((1 << 8 * size) - 1) for size in range(_WORD + 1)], np.uint64
)
# Longer ranges are rare, and would be looked at in too many steps.
_LONGEST_BY_WORDS = 64


class IllFormed(Exception):
    """A piece is not XML: `place` is an offset in it, `problem` says what is wrong."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Tags:
    """The tags of a piece. The arrays have an entry per tag, in order."""

    piece: bytes
    opens: np.ndarray  # offset of `<`
    closes: np.ndarray  # offset of `>`
    ends: np.ndarray  # offset of the next `<`, or the end of the piece
    is_end: np.ndarray  # an end tag, as </Id>
    is_empty: np.ndarray  # an empty element, as <Id/>
    has_equals: np.ndarray  # a tag with attributes
    attributes: int  # number of `=` in tags
    has_open_quote: bool  # an attribute value holds a `>`, which was taken for the end of the tag

    def __len__(self) -> int:
        return len(self.opens)

    def levels(self, before: int) -> np.ndarray:
        """Return how many elements are open after each tag, where `before` were before the first."""
        change = (1 - 2 * self.is_end.view(np.int8)) * (1 - self.is_empty.view(np.int8))
        levels: np.ndarray = before + np.cumsum(change, dtype=np.int32)
        return levels

    @functools.cached_property
    def words(self) -> np.ndarray:
        """The eight bytes before each offset of the piece, and before the eight behind its end: uint64.

        The first byte is the lowest. Bytes outside the piece are 0.
        """
        padded = b"".join((bytes(_WORD), self.piece, bytes(_WORD)))
        return np.ndarray((len(padded) - _WORD + 1,), "<u8", buffer=padded, strides=(1,))

    def name(self, number: int) -> str:
        """Return the local name of a tag."""
        inside = self.piece[self.opens[number] + 1 : self.closes[number]].lstrip(b"/").rstrip(b"/")
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
    of_tags = of_tags[inside]
    last = data[closes[of_tags] - 1]
    has_equals = np.zeros(len(opens), dtype=bool)
    has_equals[of_tags] = True
    return Tags(
        piece=piece,
        opens=opens,
        closes=closes,
        ends=ends,
        is_end=following == _SLASH,
        is_empty=data[closes - 1] == _SLASH,
        has_equals=has_equals,
        attributes=len(of_tags),
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


def is_blank(tags: Tags, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Tell for each range of the piece whether it holds white space only.

    Control characters other than white space have been refused before.
    """
    blank = np.ones(len(starts), dtype=bool)
    lengths = ends - starts
    if len(lengths) and lengths.max() > _LONGEST_BY_WORDS:
        visible = np.cumsum(np.frombuffer(tags.piece, dtype=np.uint8) > _SPACE, dtype=np.int32)
        visible = np.append(np.int32(0), visible)
        same: np.ndarray = visible[starts] == visible[ends]
        return same
    ranges = np.arange(len(starts))
    while len(ranges):
        words = tags.words[starts + _WORD]
        visible = (((words & _LOW) + _CARRY) | words) & _FIRST[np.minimum(lengths, _WORD)]
        blank[ranges[visible != 0]] = False
        is_longer = lengths > _WORD
        ranges, starts, lengths = (
            ranges[is_longer],
            starts[is_longer] + _WORD,
            lengths[is_longer] - _WORD,
        )
    return blank


def may_end_with(tags: Tags, numbers: np.ndarray, *texts: bytes) -> np.ndarray:
    """Tell for each of some tags whether its name may end with one of these texts, by its last 16 bytes.

    Of tags with attributes or white space behind the name nothing is known.
    """
    ends = tags.closes[numbers] - tags.is_empty[numbers]
    words = tags.words[ends]
    has_space = words >> np.uint64(8 * (_WORD - 1)) <= np.uint64(_SPACE)
    may: np.ndarray = has_space | tags.has_equals[numbers]
    for text in texts:
        is_same = _end_with(words, text[-_WORD:])
        if len(text) > _WORD and len(same := np.flatnonzero(is_same)):
            before = tags.words[np.maximum(ends[same] - _WORD, 0)]
            is_same[same] = _end_with(before, text[-2 * _WORD : -_WORD])
        may |= is_same
    return may


def _end_with(words: np.ndarray, text: bytes) -> np.ndarray:
    """Tell for each word whether its last bytes are a text of at most eight."""
    ending = words >> np.uint64(8 * (_WORD - len(text)))
    is_same: np.ndarray = ending == np.uint64(int.from_bytes(text, "little"))
    return is_same
