"""Grows real FIRDS records into files as large as ESMA's own.

Each copy of a record gets an ISIN of its own with a valid check digit, near the one that it had, and other
digits in its names (strikes and days differ from one warrant to the next); all else is as published, so
sizes, the mix of fields and the number of different names are those of real files. A file runs through the
ISINs in their order several times, so each writes all over the tables. Same arguments, same bytes.
"""

import datetime as dt
import functools
import itertools
import operator
import random
import re
import string
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from stdnum.isin import calc_check_digit

PART = 500_000
# Records by CFI letter in the full files of 30 August 2025: 11,246,387 in 29 zips.
MIX = {
    "R": 4_684_000,
    "S": 2_266_000,
    "D": 1_315_000,
    "O": 1_178_000,
    "H": 911_000,
    "E": 594_963,
    "C": 131_369,
    "J": 118_998,
    "F": 46_984,
    "I": 2,
}
ROOT, DELTA_ROOT = b"FinInstrmRptgRefDataRpt", b"FinInstrmRptgRefDataDltaRpt"
_UNUSED = 36**3 // 2  # more copies than are made of any record
_TAGS = (b"NewRcrd", b"TermntdRcrd", *[b"ModfdRcrd"] * 8)
_PERIOD = re.compile(rb"<PblctnPrd>.*?</PblctnPrd>")
# Of 13.9 million FITRS records, few are about equity.
RESULTS_MIX = {"FULECR": 1, "FULNCR": 20}
_RESULT = re.compile(rb"<((?:Non)?EqtyTrnsprncyData)>.*?</\1>", re.DOTALL)
_RESULT_ISIN = re.compile(rb"<(?:Id|ISIN)>([A-Z]{2}[A-Z0-9]{9}[0-9])</")
_RECORD = re.compile(rb"<(RefData|NewRcrd|ModfdRcrd)>(.*?)</\1>", re.DOTALL)
_ISIN = re.compile(rb"<Id>([A-Z]{2}[A-Z0-9]{9}[0-9])</Id>")
_AUTHORITY = re.compile(rb"<RlvntCmptntAuthrty>[A-Z]{2}</RlvntCmptntAuthrty>")
_CFI = re.compile(rb"<ClssfctnTp>([A-Z])")
_VENUE = re.compile(rb"<TradgVnRltdAttrbts><Id>([A-Z0-9]{4})<")
_AFTER_NAMES = b"<ClssfctnTp>"
_LETTERS = string.digits + string.ascii_uppercase

Template = tuple[
    bytes, bytes, bytes, bytes
]  # what is before the ISIN, the ISIN, names, and the rest


def templates(sources: Iterable[Path]) -> tuple[dict[str, list[Template]], bytes]:
    """Real records by CFI letter, and the head of a real file."""
    found: dict[str, list[Template]] = {letter: [] for letter in MIX}
    head, seen = b"", set()
    for path in sources:
        with zipfile.ZipFile(path) as archive:
            xml = archive.read(archive.namelist()[0])
        head = head or xml[: max(0, xml.find(b"<RefData>"))]
        for record in _RECORD.finditer(xml):
            inner = record[2]
            isin, letter, mic = _ISIN.search(inner), _CFI.search(inner), _VENUE.search(inner)
            if isin is None or letter is None or mic is None:
                raise ValueError(f"{path}: a record without ISIN, CFI code or MIC")
            if (isin[1], mic[1]) in seen:
                continue
            seen.add((isin[1], mic[1]))
            rest = inner.index(_AFTER_NAMES)
            template = (
                b"<RefData>" + inner[: isin.start(1)],
                isin[1],
                inner[isin.end(1) : rest],
                _with_period(inner[rest:]) + b"</RefData>",
            )
            found[letter[1].decode()].append(template)
    by_isin = operator.itemgetter(1)
    return {letter: sorted(found[letter], key=by_isin) for letter in found if found[letter]}, head


def _with_period(record: bytes) -> bytes:
    """The record with a publication period: terminations lack it, and full files always have it."""
    if b"<PblctnPrd>" in record:
        return record
    period = b"<PblctnPrd><FrDt>2020-01-02</FrDt></PblctnPrd>"
    after = _AUTHORITY.search(record)
    place = after.end() if after else record.index(b"<TechAttrbts>") + len(b"<TechAttrbts>")
    return record[:place] + period + record[place:]


def grow(sources: Iterable[Path], *, records: int, folder: Path, day: dt.date) -> list[Path]:
    """Write full files of `records` records together, in ESMA's mix and parts; returns their paths."""
    by_letter, head = templates(sources)
    whole = sum(MIX[letter] for letter in by_letter)
    places = _places(by_letter.values())
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for letter, of_letter in sorted(by_letter.items()):
        count = max(1, round(records * MIX[letter] / whole))
        grown = _grown(of_letter, places)
        parts = -(-count // PART)
        for part in range(1, parts + 1):
            name = f"FULINS_{letter}_{day:%Y%m%d}_{part:02}of{parts:02}"
            size = min(PART, count - (part - 1) * PART)
            path = folder / f"{name}.zip"
            _write(path, name, _dated(head, name, day), itertools.islice(grown, size), ROOT)
            paths.append(path)
    return paths


def grow_delta(
    sources: Iterable[Path], *, records: int, changes: int, folder: Path, day: dt.date
) -> Path:
    """Write a delta on top of what `grow` made of the same sources and as many records.

    Its records lie evenly all over these, by ISIN: four in five modified, in names and period, one in ten
    new, one in ten terminated, as in the real delta of 27 October 2017.
    """
    sources = list(sources)
    by_letter, _ = templates(sources)
    whole = sum(MIX[letter] for letter in by_letter)
    places, every = _places(by_letter.values()), records / changes
    real = next(path for path in sources if path.name.startswith("DLTINS"))
    with zipfile.ZipFile(real) as archive:
        xml = archive.read(archive.namelist()[0])
    chosen = sorted(
        (places[template[1]], copy, letter, at % len(of_letter), _TAGS[n % 10])
        for letter, of_letter in by_letter.items()
        for n in range(round(records * MIX[letter] / whole / every))
        for at in [int(n * every)]
        for copy, template in [(at // len(of_letter), of_letter[at % len(of_letter)])]
    )
    changed = (
        _changed(by_letter[letter][at], places, copy, tag, day)
        for _, copy, letter, at, tag in chosen
    )
    folder.mkdir(parents=True, exist_ok=True)
    name = f"DLTINS_{day:%Y%m%d}_01of01"
    head = _dated(xml[: xml.index(b"<FinInstrm><")], name, day)
    _write(folder / f"{name}.zip", name, head, changed, DELTA_ROOT)
    return folder / f"{name}.zip"


def _changed(
    template: Template, places: dict[bytes, int], copy: int, tag: bytes, day: dt.date
) -> bytes:
    """One record of a delta, about a copy of a record."""
    before, isin, names, rest = template
    renamed = _renamed(isin, places, copy + _UNUSED if tag == b"NewRcrd" else copy)
    other = bytes.maketrans(string.digits.encode(), _shuffled_digits(copy + _UNUSED))
    record = _PERIOD.sub(b"<PblctnPrd><FrDt>" + str(day).encode() + b"</FrDt></PblctnPrd>", rest)
    inner = before.removeprefix(b"<RefData>") + renamed + names.translate(other)
    inner += record.removesuffix(b"</RefData>")
    return b"<FinInstrm><%b>%b</%b></FinInstrm>" % (tag, inner, tag)


def _places(families: Iterable[list[Template]]) -> dict[bytes, int]:
    """The place of each ISIN among all of them."""
    isins = {template[1] for templates_ in families for template in templates_}
    return {isin: place for place, isin in enumerate(sorted(isins))}


def _grown(of_letter: list[Template], places: dict[bytes, int]) -> Iterator[bytes]:
    """The records over and over; the venues of one instrument stay together."""
    for number in itertools.count():
        other = bytes.maketrans(string.digits.encode(), _shuffled_digits(number))
        last, renamed = b"", b""
        for before, isin, names, rest in of_letter:
            if isin != last:
                last, renamed = isin, _renamed(isin, places, number)
            yield before + renamed + names.translate(other) + rest


def _renamed(isin: bytes, places: dict[bytes, int], number: int) -> bytes:
    """The ISIN of a copy: four letters as they were, then its place and the number of the copy."""
    body = isin[:4].decode() + _base36(places[isin], 4) + _base36(number, 3)
    return f"{body}{calc_check_digit(body)}".encode()


@functools.cache
def _shuffled_digits(number: int) -> bytes:
    digits = list(string.digits)
    if number:
        random.Random(number).shuffle(digits)
    return "".join(digits).encode()


def _base36(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, rest = divmod(number, 36)
        text = _LETTERS[rest] + text
    return text


def _dated(head: bytes, name: str, day: dt.date) -> bytes:
    head = re.sub(rb"<BizMsgIdr>[^<]*", b"<BizMsgIdr>" + name.encode(), head)
    return re.sub(rb"<(CreDt|Dt)>\d{4}-\d{2}-\d{2}", rb"<\g<1>>" + str(day).encode(), head)


def _write(path: Path, name: str, head: bytes, records: Iterator[bytes], root: bytes) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{name}.xml", "w", force_zip64=True) as stream,
    ):
        stream.write(head)
        while chunk := b"".join(itertools.islice(records, 2_000)):
            stream.write(chunk)
        stream.write(b"</" + root + b"></Document></Pyld></BizData>")


def grow_results(
    sources: Iterable[Path], *, records: int, folder: Path, day: dt.date
) -> list[Path]:
    """The same of FITRS: a file for each source, with its real records over and over."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {path: _results(path) for path in sources}
    places = _places(templates_ for _, _, templates_ in found.values())
    whole = sum(RESULTS_MIX[path.name[:6]] for path in found)
    paths = []
    for path, (head, root, templates_) in found.items():
        count = round(records * RESULTS_MIX[path.name[:6]] / whole)
        grown = _grown(templates_, places)
        kind, _, letter, _ = path.stem.split("_")
        parts = -(-count // PART)
        for part in range(1, parts + 1):
            name = f"{kind}_{day:%Y%m%d}_{letter}_{part}of{parts}"
            size = min(PART, count - (part - 1) * PART)
            target = folder / f"{name}.zip"
            _write(target, name, _dated(head, name, day), itertools.islice(grown, size), root)
            paths.append(target)
    return paths


def _results(path: Path) -> tuple[bytes, bytes, list[Template]]:
    """The head of a FITRS file, the name of its root, and its records as templates."""
    with zipfile.ZipFile(path) as archive:
        xml = archive.read(archive.namelist()[0])
    first = _RESULT.search(xml)
    root = re.search(rb"<(FinInstrmRptg\w+Rslt)>", xml)
    if first is None or root is None:
        raise ValueError(f"{path}: no records")
    found: list[Template] = []
    for record in _RESULT.finditer(xml):
        isin = _RESULT_ISIN.search(record[0])
        if isin is None:
            raise ValueError(f"{path}: a record without ISIN")
        found.append((record[0][: isin.start(1)], isin[1], b"", record[0][isin.end(1) :]))
    return xml[: first.start()], root[1], sorted(found, key=operator.itemgetter(1))
