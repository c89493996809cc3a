"""The publications of results as they were known on a day, where files have been republished.

A row has one period on which it was known. A result that one revision of a file has, the next one lacks,
and a third one has again was known on two. So such results are read from the bitmaps of all revisions.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from pyroaring import BitMap64

from esma_files.models import EsmaFile
from instruments.listings.load.known_days import choose_known
from instruments.published_results.models import PublishedResult, ResultFile
from instruments.published_results.publications import find_begins, place_of, result_files


def read_known_begins(
    rows: Sequence[PublishedResult], known_on: dt.date
) -> dict[int, list[EsmaFile]]:
    """Return by key the files with which results came into force, of those known on a day.

    `rows` are all results of some ISINs in one register. Those of ISINs of which no republished file has any
    are left out: the columns of the rows tell. One query; for results of a republished file, the bitmaps of
    all files of the register are read.
    """
    if not rows:
        return {}
    files = result_files(type(rows[0]), rows[0].register)
    replaced = files.filter(is_replaced=True).values("file__name")
    keys = BitMap64(row.pk for row in rows)
    republished = BitMap64()
    for holding in files.filter(file__name__in=replaced):
        republished |= _read(holding) & keys
    if not republished:
        return {}
    owners = {_get_owner(row) for row in rows if row.pk in republished}
    rows = [row for row in rows if _get_owner(row) in owners]
    revisions: dict[tuple[str, str], list[EsmaFile]] = defaultdict(list)
    held: dict[int, BitMap64] = {}
    published = files.filter(file__published_on__lte=known_on).select_related("file").order_by()
    for holding in published.iterator():
        revisions[holding.file.dataset, holding.file.name].append(holding.file)
        held[holding.file.pk] = _read(holding) & keys
    known = sorted((choose_known(group, known_on) for group in revisions.values()), key=place_of)
    by_result: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in rows:
        by_result[_get_owner(row), row.result_key].append(row.pk)
    begins: dict[int, list[EsmaFile]] = {}
    for versions in by_result.values():
        begins |= find_begins({pk: [f for f in known if pk in held[f.pk]] for pk in versions})[0]
    return begins


def _get_owner(row: PublishedResult) -> str:
    return str(getattr(row, row.list_column))


def _read(row: ResultFile) -> BitMap64:
    return BitMap64.deserialize(bytes(row.results))
