"""Full copies and deltas of level 1 records, in any order."""

import itertools
from pathlib import Path

import pytest

from instruments.models import EntityName, LegalEntity
from tests import golden_copy
from tests.golden_copy import message, name, record
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON = "549300HGV012CNC8JD22", "549300W9JLPW15XIFM52"


def former(text: str) -> str:
    return (
        "<lei:OtherEntityNames><lei:OtherEntityName type='PREVIOUS_LEGAL_NAME'>"
        f"{text}</lei:OtherEntityName></lei:OtherEntityNames>"
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A full copy and two deltas, of which the first changes an entity that the second changes again."""
    full = message(
        record(ERICSSON, "Telefonaktiebolaget LM Ericsson"),
        record(VOLVO, "Old", entity=former("A")),
    )
    first = message(
        record(VOLVO, "Newer", updated="2023-06-06T08:00:00Z", entity=former("B")), content="DELTA"
    )
    second = message(
        record(VOLVO, "Newest", updated="2023-06-07T08:00:00Z", entity=former("C")), content="DELTA"
    )
    return [
        golden_copy.put(tmp_path, name("20230605"), full),
        golden_copy.put(tmp_path, name("20230606", "last-day"), first),
        golden_copy.put(tmp_path, name("20230607", "last-day"), second),
    ]


@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(3))))
def test_the_newest_record_counts_in_whatever_order_files_are_loaded(
    files: list[Path], order: tuple[int, ...]
) -> None:
    golden_copy.load(*(files[number] for number in order))

    names = dict(LegalEntity.objects.values_list("lei", "legal_name"))
    assert names == {VOLVO: "Newest", ERICSSON: "Telefonaktiebolaget LM Ericsson"}
    assert list(EntityName.objects.values_list("entity__lei", "name")) == [(VOLVO, "C")]
    assert [entity.lei for entity in LegalEntity.objects.search("newest")] == [VOLVO]
    for replaced in ("old", "newer", "a", "b"):
        assert not LegalEntity.objects.search(replaced).exists()


def test_records_are_counted_by_outcome(files: list[Path]) -> None:
    runs = golden_copy.load(files[0], files[2], files[1], files[0])

    counts = [(run.new, run.changed, run.late, run.unchanged) for run in runs]
    assert counts == [(2, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 1, 1)]


def test_of_two_records_with_one_last_update_the_one_published_later_counts(
    tmp_path: Path,
) -> None:
    earlier = golden_copy.put(
        tmp_path, name("20230606", "last-day"), message(record(VOLVO, "A"), content="DELTA")
    )
    later = golden_copy.put(
        tmp_path, name("20230607", "last-day"), message(record(VOLVO, "B"), content="DELTA")
    )

    golden_copy.load(later, earlier)

    assert LegalEntity.objects.get().legal_name == "B"


def test_a_file_that_has_an_lei_twice_counts_the_newer_record(tmp_path: Path) -> None:
    xml = message(
        record(VOLVO, "Newer", updated="2023-06-06T08:00:00Z"),
        record(VOLVO, "Older", updated="2023-06-05T08:00:00Z", entity=former("A")),
    )

    [run] = golden_copy.load(golden_copy.put(tmp_path, name(), xml))

    assert (run.new, run.late) == (1, 1)
    assert LegalEntity.objects.get().legal_name == "Newer"
    assert not EntityName.objects.exists()


def test_a_change_of_another_name_alone_is_a_change(tmp_path: Path) -> None:
    paths = [
        golden_copy.put(
            tmp_path,
            name(day, "last-day"),
            message(record(VOLVO, entity=former(text)), content="DELTA"),
        )
        for day, text in (("20230606", "A"), ("20230607", "B"))
    ]

    *_, run = golden_copy.load(*paths)

    assert run.changed == 1
    assert EntityName.objects.get().name == "B"
