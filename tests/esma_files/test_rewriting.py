"""Elements of one name in a row are numbered, and empty ones left out, however a file is cut into pieces."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esma_files.parsing import markup
from esma_files.parsing.markup import Tags
from esma_files.parsing.rewriting import Rewritten
from tests.properties import examples

_TAG = re.compile(rb"<(/?)((?:[^\s/>:]*:)?)([^\s/>:]+)([^>]*)>([^<]*)")
SPACE = st.sampled_from([b"", b" ", b"\n  "])


class Pieces:
    """A stream of pieces with their tags."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def read_tags(self) -> Tags | None:
        piece = next(self._pieces, None)
        return markup.find_tags(piece) if piece else None


def expect(document: bytes) -> tuple[bytes, int]:
    """Rewrite a document tag by tag; return it and the number of elements that are left out."""
    rewritten, left_out = b"", 0
    ended, open_ = (b"", 0), (b"", 0)  # names with their numbers
    for end, prefix, name, rest, text in _TAG.findall(document):
        if name == b"Extension" and not end and rest.strip() == b"/":
            left_out += 1
            rewritten += text
            if text.strip():
                ended = (b"", 0)
            continue
        number = 1
        if name in (b"Line", b"Field"):
            if end:
                number = open_[1]
            else:
                number = ended[1] + 1 if ended[0] == name else 1
                open_ = (name, number)
        ended = (name, number) if end and not text.strip() else (b"", 0)
        digits = b"" if number == 1 else b"%d" % number
        rewritten += b"<" + end + prefix + name + digits + rest + b">" + text
    return rewritten, left_out


@st.composite
def elements(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from([b"Line", b"Line", b"Field", b"Lines", b"City", b"Extension"]))
    prefix = draw(st.sampled_from([b"lei:", b"lei:", b""]))
    attributes = draw(st.sampled_from([b"", b"", b' type="Line"', b" "]))
    behind = draw(SPACE)
    if name == b"Extension" or draw(st.integers(0, 5)) == 0:
        return b"<" + prefix + name + attributes + b"/>" + behind
    text = draw(st.sampled_from([b"a", b"", b"Line", b"/Line>", b"Line> Line/> Field"]))
    tag = prefix + name
    return b"<" + tag + attributes + b">" + text + b"</" + tag + draw(SPACE) + b">" + behind


@pytest.mark.slow
@examples(2_000)
@given(st.lists(elements(), max_size=12), st.sets(st.integers(0, 40)))
@example([b"<Line>a</Line>"] * 3, {1, 2, 3, 4, 5})
@example([b"<Line>a</Line>", b"<Extension/> ", b"<Line>b</Line>"], {2, 3})
def test_a_document_is_rewritten_as_if_it_were_read_tag_by_tag(
    parts: list[bytes], cuts: set[int]
) -> None:
    document = b"<Address>" + b"".join(parts) + b"</Address>\n"
    begins = [match.start() for match in re.finditer(b"<", document)]
    places = [begins[number] for number in sorted(cuts) if 0 < number < len(begins)]
    bounds = [0, *places, len(document)]
    pieces = [document[begin:end] for begin, end in itertools.pairwise(bounds)]

    stream = Rewritten(Pieces(pieces), numbered=("Line", "Field"), optional=("Extension",))

    assert (b"".join(iter(stream.read, b"")), stream.left_out) == expect(document)
