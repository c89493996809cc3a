"""The rule of rules: whatever is stored, the retention policy deletes nothing that must stay."""

import datetime as dt
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from esma_files import retention, sets
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from esma_files.names import FileName
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = dt.date(2026, 11, 22)


def days_ago(days: int) -> str:
    return f"{TODAY - dt.timedelta(days=days):%Y%m%d}"


# Any mixture of rows, and a budget.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["FULINS_E", "FULINS_D", "DLTINS", "FULCAN"]),
        st.integers(0, 60),
        st.integers(1, 3),
        st.integers(1, 3),
        st.booleans(),  # loaded
        st.booleans(),  # kept
        st.sampled_from(["loaded", "loading", "failed", "deleted", "downloaded"]),
    ),
    max_size=12,
)


@examples(60)
@given(rows=ROWS, budget=st.integers(1, 6000))
def test_whatever_is_stored_nothing_goes_that_must_not(
    rows: list[tuple[Any, ...]], budget: int
) -> None:
    EsmaFile.objects.all().delete()
    for kind, days, part, parts, loaded, kept, state in rows:
        if part > parts:
            continue
        name = FileName.parse(f"{kind}_{days_ago(days)}_{part:02}of{parts:02}")
        if EsmaFile.objects.filter(name=f"{name.stem}.zip").exists():
            continue
        file = EsmaFile.from_name(name, dataset=Dataset.ESMA_FIRDS)
        file.content, file.size, file.kept, file.state = f"firds/{name.stem}", 1000, kept, state
        file.loaded_at = timezone.now() if loaded else None
        file.set_order()
        file.save()

    # The fixture `settings` would keep the settings of every example until the end of the test.
    with override_settings(STORAGE_BUDGET_BYTES=budget):
        deleted = {a.file.pk for a in retention.plan(today=TODAY) if a.verb == "delete"}

    newest: dict[tuple[str, str], sets.SetKey] = {}
    for each in sets.group(EsmaFile.objects.order_by("published_on")):
        stored_rows = [file for file in each.files if file.has_content]
        gone = {file.pk for file in stored_rows} & deleted
        assert gone in (set(), {file.pk for file in stored_rows}), "a set goes as a whole"
        whole = {file.part for file in stored_rows} == set(range(1, each.key.parts + 1))
        if whole and each.key.kind == "FULINS":
            newest[each.key.kind, each.key.category] = each.key
        for file in each.files:
            if gone:
                assert file.loaded_at or file.state == "deleted"
                assert not file.kept
                assert file.state != "loading"
    for key in newest.values():
        assert not {f.pk for f in retention.set_of(key).files} & deleted
