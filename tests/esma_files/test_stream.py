"""The check of an XML on its way to the parser."""

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esma_files.errors import BadXml, FileProblem, ForbiddenXml, TruncatedFile
from esma_files.parsing import stream
from esma_files.parsing.stream import EXCERPT, LONGEST_TEXT, CheckedStream


class Pieces(io.BytesIO):
    """A stream that returns pieces of random sizes, as a zip may."""

    def __init__(self, content: bytes, *, seed: int, longest: int) -> None:
        super().__init__(content)
        self._random, self._longest = random.Random(seed), longest

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._random.randint(1, self._longest))


def document(records: str, *, before: str = "", after: str = "") -> bytes:
    xml = f'<?xml version="1.0" encoding="UTF-8"?>{before}<BizData><Pyld><Document><Root>{records}'
    return (xml + f"</Root></Document></Pyld></BizData>{after}").encode()


def record(inside: str) -> bytes:
    return document(f"<Rec>{inside}</Rec>")


def read(xml: bytes, *, seed: int = 0, longest: int = 1 << 18) -> tuple[bytes, CheckedStream]:
    """Return the bytes for the parser, and the stream that has been read to its end."""
    checked = CheckedStream(Pieces(xml, seed=seed, longest=longest), file_name="made.xml")
    pieces = []
    while piece := checked.read():
        pieces.append(piece)
    return b"".join(pieces), checked


def leaves(xml: bytes) -> list[tuple[str, str, dict[str, str]]]:
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, strip_cdata=True)
    root = etree.fromstring(xml, parser)
    return [
        (str(e.tag), e.text or "", {str(k): str(v) for k, v in e.attrib.items()})
        for e in root.iter()
    ]


PARTS = [
    "<Id>SE0000115446</Id>",
    "<Nm>Müller &amp; Söhne</Nm>",
    "<Nm>a > b</Nm>",
    "<Nm>two\r\nlines\rand one</Nm>",
    "<Nm>x<![CDATA[<Id> & ]] >]]>y</Nm>",
    "<Nm>x<!-- <Id>not one</Id> -->y</Nm>",
    "<?note <Id/> ?>",
    "<!-- - -> --><Empty/>",
    "<Empty></Empty>",
    '<Amt Ccy = "EUR">1.5</Amt>',
    "<Amt Ccy='EUR' note='5 > 4'>2</Amt>",
    '<Amt note="it\'s">3</Amt>',
    "<Nm>&#65;&#x1F600;&lt;</Nm>",
]


@given(
    st.lists(st.sampled_from(PARTS), max_size=12),
    st.integers(0, 10**6),
    st.sampled_from([1, 2, 7, 50, 1 << 18]),
)
def test_the_parser_gets_what_the_xml_holds_however_it_is_divided(
    parts: list[str], seed: int, longest: int
) -> None:
    xml = record("".join(parts))

    cleaned, checked = read(xml, seed=seed, longest=longest)

    assert leaves(cleaned) == leaves(xml)
    assert checked.bytes_read == len(xml)
    assert checked.tags == cleaned.count(b"<")
    assert b"<!" not in cleaned
    assert b"<?" not in cleaned


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("<Nm>AB\0CD</Nm>", "the character U+0000 at byte 80 is not allowed"),
        ("<Nm>AB\x1fCD</Nm>", "the character U+001F at byte 80"),
        ("<Nm>AB\ufffeCD</Nm>", "at about byte 80: the character U+FFFE"),
        ("<Nm>&#0;</Nm>", "at about byte 78: &#0; is not a character of XML"),
        ("<Nm>&#x1;</Nm>", "&#x1; is not a character of XML"),
        ("<Nm>&#xD800;</Nm>", "&#xD800; is not a character of XML"),
        ("<Nm>a]]>b</Nm>", "`]]>` in a text"),
        ('<Amt Ccy="<">1</Amt>', "an attribute holds a `<`"),
        ("<Amt Ccy=EUR>1</Amt>", "an attribute value is not closed"),
        ("<1Nm>a</1Nm>", "not followed by the name of an element"),
        ("< Nm>a</Nm>", "not followed by the name of an element"),
        ("<Nm", "a tag is not closed before the next `<`"),
    ],
)
def test_ill_formed_xml_is_refused_with_its_place(inside: str, problem: str) -> None:
    for longest in (3, 1 << 18):
        with pytest.raises(BadXml) as raised:
            read(record(inside), longest=longest)
        assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("xml", "error", "problem"),
    [
        (document("") * 2, BadXml, "<BizData> after the end of the root element"),
        (document("", after="Sorry"), BadXml, "text outside the root element"),
        (document("", before="Sorry"), BadXml, "text outside the root element"),
        (document("</Root><Root>"), BadXml, "a second element in Document, <Root>"),
        (
            document("</Root></Document><Document><Root>"),
            BadXml,
            "a second element in Pyld, <Document>",
        ),
        (document("")[:-1], BadXml, "a tag is not closed"),
        (document("")[:-10], TruncatedFile, "</BizData> is missing at the end"),
        (document("<!-- never closed"), TruncatedFile, "that is not closed"),
        (b"ISIN;MIC", BadXml, "text outside the root element"),
        (document("", before="<!DOCTYPE x>"), ForbiddenXml, "document type declaration"),
    ],
)
def test_a_file_with_another_beginning_or_end_is_refused(
    xml: bytes, error: type[FileProblem], problem: str
) -> None:
    for longest in (1, 5, 1 << 18):
        with pytest.raises(error) as raised:
            read(xml, longest=longest)
        assert problem in str(raised.value)


@pytest.mark.parametrize("after", ["", "\n", "<!-- made by hand -->", "<?done?>\r\n", " " * 50_000])
def test_comments_and_white_space_may_follow_the_root(after: str) -> None:
    cleaned, _ = read(document("<Rec/>", after=after))

    assert leaves(cleaned) == leaves(document("<Rec/>"))


@pytest.mark.parametrize(
    ("inside", "is_stray"),
    [
        ("<Nm>a</Nm>", False),
        ("\n  <Nm>a</Nm>\n\t<Nm> a </Nm>\n", False),
        ("<Nm> </Nm>", False),
        ("important note<Nm>a</Nm>", True),
        ("<Nm>a</Nm>x", True),
        ("<Nm>a</Nm>\n.\n<Nm>a</Nm>", True),
        ("<Empty/>x", True),
        ("<Nm>a</Nm><![CDATA[x]]>", True),
    ],
)
@pytest.mark.parametrize("longest", [1, 4, 1 << 18])
def test_text_beside_elements_is_noticed(inside: str, is_stray: bool, longest: int) -> None:
    _, checked = read(record(inside), longest=longest)

    assert checked.has_stray_text is is_stray


@pytest.mark.parametrize("longest", [1_000, 9_999, 1 << 18])
@pytest.mark.parametrize("size", [LONGEST_TEXT + 20, 3 * LONGEST_TEXT, 700_000])
def test_a_long_text_is_shortened_with_its_length_and_hash(size: int, longest: int) -> None:
    text = ("ab&amp;ü" * size)[:size].encode()[:size].decode(errors="ignore")
    text = text[: text.rindex("&")]
    raw = text.encode()

    cleaned, checked = read(record(f"<Nm>{text}</Nm><Id>next</Id>"), longest=longest)

    (_, short, _), (_, following, _) = leaves(cleaned)[-2:]
    assert len(short) < EXCERPT + 200
    assert short.endswith(f"… [cut: {len(raw):,} bytes, SHA-256 {hashlib.sha256(raw).hexdigest()}]")
    assert text.replace("&amp;", "&").startswith(short.partition("…")[0])
    assert following == "next"
    assert checked.tags == cleaned.count(b"<")


def test_a_text_of_the_greatest_length_is_left_as_it_is() -> None:
    xml = record(f"<Nm>{'x' * LONGEST_TEXT}</Nm>")

    for longest in (777, 1 << 18):
        assert leaves(read(xml, longest=longest)[0]) == leaves(xml)


def test_a_tag_without_end_is_refused_before_it_is_all_in_memory() -> None:
    source = Pieces(record(f"<Nm {'x' * 50_000_000}>"), seed=1, longest=1 << 18)

    with pytest.raises(BadXml, match="a tag or a text of more than 10,000 bytes"):
        list(iter(CheckedStream(source, file_name="made.xml").read, b""))
    assert source.tell() < 10 * stream.CHUNK
