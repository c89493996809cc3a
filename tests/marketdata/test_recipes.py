"""The recipes of docs/api.md, run as they stand."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys
from instruments.models import Instrument
from tests.accounts.clients import make_user

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def read_recipe(name: str) -> str:
    """Return the indented block after the name of a recipe."""
    match = re.search(
        rf"^\*\*{name}\.\*\*.*?\n\n((?:    .*\n|\n)+)",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert match is not None, name
    return textwrap.dedent(match[1])


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_instruments")
def test_recipes_in_python_duckdb_and_pandas_give_all_rows(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    permissions = ["instruments.view_instrument", "instruments.export_instrument"]
    user = make_user("analyst", "analyst")
    _, key = api_keys.create(user, name="recipes", permissions=permissions, days=1)
    values: dict[str, Any] = {"HOST": server.url, "KEY": key}
    for name in ("Python", "DuckDB", "pandas"):
        exec(read_recipe(name), values)  # noqa: S102  # our own documentation
    debt = Instrument.objects.filter(cfi_code__startswith="D")
    isins = sorted(debt.values_list("pk", flat=True))
    assert isins
    assert [row["isin"] for row in values["rows"]] == isins
    assert sum(number for _, number in values["years"]) == len(isins)
    assert list(values["bonds"]["isin"]) == list(values["listed"]["isin"]) == isins
    types = {name: str(kind) for name, kind in values["bonds"].dtypes.items()}
    assert types["maturity_date"] == "date32[day][pyarrow]"
    assert types["fixed_rate"] == "decimal128(35, 17)[pyarrow]"
    values["session"].close()
