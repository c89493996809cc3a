"""Slices, and the names of files."""

from hypothesis import given
from hypothesis import strategies as st

from lake.files import DataFile
from lake.state import get_slices
from lake.tables import ALL_TABLES, get_table

KEYS = st.text("ABC012", max_size=3)


@given(st.lists(KEYS))
def test_slices_follow_each_other_from_the_first_key_to_the_last(starts: list[str]) -> None:
    slices = get_slices(starts)

    assert slices[0][0] == ""
    assert slices[-1][1] is None
    assert [stop for _, stop in slices[:-1]] == [start for start, _ in slices[1:]]
    assert {start for start, _ in slices} == {*starts, ""}


@given(st.text(max_size=12), st.integers(0, 10**6))
def test_names_of_files_tell_their_slice(start: str, version: int) -> None:
    start = start.encode("utf-8", "ignore").decode()
    for table, partition in ((get_table("listings"), "D"), (get_table("venues"), "")):
        file = DataFile(partition, start, "0123abcd", version, rows=1, size=2)
        path = file.get_path(table)
        assert path.count("/") == (1 if partition else 0)
        assert DataFile.from_path(path, rows=1, size=2) == file


def test_each_table_has_its_key_among_its_columns() -> None:
    for table in ALL_TABLES:
        assert table.key_column in table.schema.names
        assert len(set(table.full_schema.names)) == len(table.full_schema)
