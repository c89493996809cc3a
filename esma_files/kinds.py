"""The one table of the kinds of files: all that follows from a kind stands here.

It is read by the names of files, the client of the registers, the report of gaps, retention, the reader,
loading and history. docs/contributing.md describes how to add a kind. Sources: ESMA65-8-5014 rev. 3 (FIRDS),
ESMA65-8-5240 v1.8 (FITRS), LEI-CDF 3.1 (GLEIF).
"""

import dataclasses
import enum
import re
from collections.abc import Iterator
from functools import cached_property

from esma_files.datasets import Dataset


class Content(enum.Enum):
    """The statement that a file of a kind makes: a state, changes, or cancellations."""

    FULL = (
        "full"  # the state at the end of the day; what a complete set lacks is not there any more
    )
    DELTA = "delta"  # the changes of the day
    CANCELLED = "cancelled"  # every record cancelled so far: it repeats what earlier files state


class Cadence(enum.Enum):
    """The frequency of publication of a kind; the report of gaps expects files accordingly."""

    DAILY = "daily"  # also at weekends and on holidays
    WEEKLY = "weekly"  # on `weekday`, or the day after
    OBSERVED = "observed"  # as the days that are known show
    IRREGULAR = "irregular"  # nothing is expected


SATURDAY = 5
_DAY, _PART = r"_(?P<day>[0-9]{8})", r"_(?P<part>[0-9]{1,3})of(?P<parts>[0-9]{1,3})"
_CATEGORY = "_(?P<category>[A-Z])"
# FULINS_E_20250830_01of02
_BY_CATEGORY = f"{_CATEGORY}{_DAY}{_PART}"
# DLTINS_20250830_01of01
_BY_DAY = f"{_DAY}{_PART}"
# FULECR_20250830_E_1of1, DLTECR_20250830_1of1, FULNCR_20210401_NYAR_EQD_1of2
_TRANSPARENCY = (
    rf"{_DAY}(?:{_CATEGORY}|_(?P<result_group>[A-Z]{{2,5}}(?:_[A-Z0-9]{{1,5}})?))?{_PART}"
)
# DVCRES_20180807, with more behind it
_VOLUME_CAP = f"{_DAY}(?:_[A-Za-z0-9]{{1,20}}){{0,5}}"
# 20230605-0800-gleif-goldencopy-lei2-golden-copy, 20230605-0800-gleif-goldencopy-lei2-last-day
_GOLDEN_COPY = r"(?P<day>[0-9]{8})-[0-9]{4}-gleif-goldencopy-"
# isin-lei-20260810T071513
_ISIN_LEI = "isin-lei-(?P<day>[0-9]{8})T[0-9]{6}"
# LEI-BIC-20260828
_BIC_LEI = "LEI-BIC-(?P<day>[0-9]{8})"
_DELTA_OF = "(?P<result_group>intra-day|last-day|last-week|last-month)"
_MESSAGE_OF_ISO = ("BizData", "Pyld", "Document")


@dataclasses.dataclass(frozen=True)
class FileKind:
    """A kind of file, by the first part of its name.

    `layout` is the dotted name of the layout of its records, in the app that loads them; empty for kinds that
    are listed and not loaded. `result_tables` is that of the tables of published results that they are merged
    into, and `merge` of the function that merges records of another subject; without both, they are listings.
    """

    code: str
    title: str
    datasets: tuple[Dataset, ...]
    content: Content
    cadence: Cadence
    weekday: int | None  # of WEEKLY; 0 is Monday
    place_in_day: int  # files of one day apply in this order
    name_pattern: str  # behind the code
    message: str  # of ISO 20022, in any version
    root: str  # the element around the records
    document: tuple[str, ...] = _MESSAGE_OF_ISO  # the elements around `root`, from the outermost
    own_name: str = ""  # pattern of the whole name, where that does not begin with the code
    ending: str = ".xml"  # of the files in the zip: .xml, or .csv with a line of column names
    layout: str = ""
    result_tables: str = ""
    merge: str = ""
    merged_in_slices: bool = False  # may be merged in several transactions
    has_scope: bool = False  # a scope applies to its records

    def __str__(self) -> str:
        return self.code

    @property
    def is_full(self) -> bool:
        return self.content is Content.FULL

    @property
    def holds_listings(self) -> bool:
        """Return True if its records go into the tables of listings."""
        return not (self.result_tables or self.merge)

    @property
    def can_be_loaded(self) -> bool:
        return bool(self.layout)

    @property
    def default_dataset(self) -> Dataset:
        """The dataset of a file that nothing else is known of: ESMA's, where it has the kind."""
        return self.datasets[0]

    @cached_property
    def pattern(self) -> "re.Pattern[str]":
        """Match the name of a file of this kind, without its ending."""
        return re.compile(self.own_name or re.escape(self.code) + self.name_pattern)

    def dataset_of(self, sender: str) -> Dataset | None:
        """Return the dataset whose files of this kind name `sender` in their header; None for nobody's."""
        return next((d for d in self.datasets if sender in d.publication.senders), None)


def _golden_copies(
    code: str, dataset: Dataset, subject: str, elements: tuple[str, str]
) -> Iterator[FileKind]:
    """The golden copy of a dataset of GLEIF, and its deltas, which are merged in the same way.

    `elements` are the outermost element, and the one around the records.
    """
    outermost, root = elements
    full, delta = f"GLEIF: all {subject}", f"GLEIF: the {subject} changed in a period"
    for suffix, title, content, place, name in (
        ("", full, Content.FULL, 1, "golden-copy"),
        ("DELTA", delta, Content.DELTA, 2, _DELTA_OF),
    ):
        yield FileKind(
            code=f"{code}{suffix}",
            title=title,
            datasets=(dataset,),
            content=content,
            cadence=Cadence.IRREGULAR if content is Content.FULL else Cadence.OBSERVED,
            weekday=None,
            place_in_day=place,
            name_pattern="",
            own_name=f"{_GOLDEN_COPY}{code.lower()}-{name}",
            message="",
            root=root,
            document=(outermost,),
            layout=f"instruments.entities.layouts.{code}",
            merge=f"instruments.entities.load.{code}",
        )


def _mapping(code: str, dataset: Dataset, subject: str, own_name: str) -> FileKind:
    """A relation of LEIs to other identifiers: a CSV with all pairs, which replaces those before."""
    return FileKind(
        code=code,
        title=f"GLEIF: {subject}",
        datasets=(dataset,),
        content=Content.FULL,
        cadence=Cadence.IRREGULAR,  # none is missing, though they are published daily or monthly
        weekday=None,
        place_in_day=1,
        name_pattern="",
        own_name=own_name,
        ending=".csv",
        message="",
        root="",
        layout=f"instruments.entities.layouts.{code}",
        merge=f"instruments.entities.load.{code}",
    )


_FIRDS = (Dataset.ESMA_FIRDS, Dataset.FCA_FIRDS)
_FITRS = (Dataset.ESMA_FITRS, Dataset.FCA_FITRS)
_TABLE = (
    FileKind(
        code="FULINS",
        title="Reference data: all active records of a CFI category",
        datasets=_FIRDS,
        content=Content.FULL,
        cadence=Cadence.WEEKLY,
        weekday=SATURDAY,
        place_in_day=3,
        name_pattern=_BY_CATEGORY,
        message="auth.017",
        root="FinInstrmRptgRefDataRpt",
        layout="instruments.listings.load.layout.FULL",
        has_scope=True,
    ),
    FileKind(
        code="DLTINS",
        title="Reference data: the changes of a day",
        datasets=_FIRDS,
        content=Content.DELTA,
        cadence=Cadence.DAILY,
        weekday=None,
        place_in_day=1,
        name_pattern=_BY_DAY,
        message="auth.036",
        root="FinInstrmRptgRefDataDltaRpt",
        layout="instruments.listings.load.layout.DELTA",
        merged_in_slices=True,
        has_scope=True,
    ),
    FileKind(
        code="FULCAN",
        title="Reference data: all cancelled records",
        datasets=_FIRDS,
        content=Content.CANCELLED,
        cadence=Cadence.OBSERVED,  # daily by ESMA's text; all names that are known are Saturdays
        weekday=None,
        place_in_day=2,
        name_pattern=_BY_DAY,
        message="auth.102",
        root="FinInstrmRptgCxlRpt",
        layout="instruments.listings.load.layout.CANCELLED",
        merged_in_slices=True,
        has_scope=True,
    ),
    FileKind(
        code="INVINS",
        title="Reference data: records that are not valid any more",
        datasets=_FIRDS,
        content=Content.FULL,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=9,
        name_pattern=f"(?:{_CATEGORY})?{_BY_DAY}",
        message="",
        root="",
    ),
    FileKind(
        code="FULECR",
        title="Transparency: all results for equity",
        datasets=_FITRS,
        content=Content.FULL,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=3,
        name_pattern=_TRANSPARENCY,
        message="auth.044",
        root="FinInstrmRptgEqtyTradgActvtyRslt",
        layout="instruments.transparency.layout.EQUITY",
        result_tables="instruments.transparency.tables.TABLES",
    ),
    FileKind(
        code="DLTECR",
        title="Transparency: changed results for equity",
        datasets=_FITRS,
        content=Content.DELTA,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=1,
        name_pattern=_TRANSPARENCY,
        message="auth.044",
        root="FinInstrmRptgEqtyTradgActvtyRslt",
        layout="instruments.transparency.layout.EQUITY",
        result_tables="instruments.transparency.tables.TABLES",
    ),
    FileKind(
        code="FULNCR",
        title="Transparency: all results for instruments other than equity, by ISIN or by sub-class",
        datasets=_FITRS,
        content=Content.FULL,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=3,
        name_pattern=_TRANSPARENCY,
        message="auth.045",
        root="FinInstrmRptgNonEqtyTradgActvtyRslt",
        layout="instruments.transparency.layout.NON_EQUITY",
        result_tables="instruments.transparency.tables.TABLES",
    ),
    FileKind(
        code="DLTNCR",
        title="Transparency: changed results for instruments other than equity",
        datasets=_FITRS,
        content=Content.DELTA,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=1,
        name_pattern=_TRANSPARENCY,
        message="auth.045",
        root="FinInstrmRptgNonEqtyTradgActvtyRslt",
        layout="instruments.transparency.layout.NON_EQUITY",
        result_tables="instruments.transparency.tables.TABLES",
    ),
    FileKind(
        code="DVCRES",
        title="Volume cap: trading under waivers",
        datasets=(Dataset.ESMA_DVCAP,),
        content=Content.FULL,
        cadence=Cadence.IRREGULAR,
        weekday=None,
        place_in_day=9,
        name_pattern=_VOLUME_CAP,
        message="auth.053",
        root="FinInstrmRptgTradgVolCapRsltRpt",
        layout="instruments.volume_cap.layout.LAYOUT",
        result_tables="instruments.volume_cap.tables.TABLES",
    ),
    *_golden_copies("LEI2", Dataset.GLEIF_LEI2, "legal entities", ("LEIData", "LEIRecords")),
    *_golden_copies(
        "RR", Dataset.GLEIF_RR, "relationships", ("RelationshipData", "RelationshipRecords")
    ),
    *_golden_copies(
        "REPEX",
        Dataset.GLEIF_REPEX,
        "reporting exceptions",
        ("ReportingExceptionData", "ReportingExceptions"),
    ),
    _mapping("ISINLEI", Dataset.GLEIF_ISIN_LEI, "the LEI of the issuer of each ISIN", _ISIN_LEI),
    _mapping("BICLEI", Dataset.GLEIF_BIC_LEI, "the LEI of each BIC", _BIC_LEI),
)
KINDS: dict[str, FileKind] = {kind.code: kind for kind in _TABLE}


def codes(content: Content) -> list[str]:
    """Return the codes of the kinds with this content."""
    return [kind.code for kind in KINDS.values() if kind.content is content]


def kinds_of(dataset: str) -> list[FileKind]:
    """Return the kinds of files that a dataset has."""
    return [kind for kind in KINDS.values() if dataset in kind.datasets]
