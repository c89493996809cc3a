"""No list of the admin reads a table that grows: neither the first page nor a search by a code."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from tests.accounts.clients import make_user
from tests.admin_pages import find_admin_pages

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

# Tables of a few thousand rows at most, however long the service runs.
SMALL = {
    "accounts_apikey",
    "accounts_user",
    "auth_group",
    "axes_accessattempt",  # old attempts are deleted
    "curation_importbatch",  # of the last 90 days
    "curation_note",  # written by people
    "curation_tag",
    "esma_files_heartbeat",
    "esma_files_registerhistory",
    "instruments_correction",
    "instruments_listedvenue",
    "instruments_outputprofile",
    "instruments_reconciliation",
    "instruments_scope",
    "instruments_subclasstransparency",
    "instruments_venue",
    "instruments_webhook",  # a few a user
    "services_requestbudget",
}
# The list of files is searched for parts of names, and shows gaps and the use of the storage from all files:
# some thousands a year.
OF_ALL_FILES = (
    'SUM("esma_files_esmafile"."size")',
    '"esma_files_esmafile"."part" FROM',
    '"esma_files_esmafile"."name" LIKE',
)
SCAN = re.compile(r"SCAN (\w+)")


@contextmanager
def planned() -> Iterator[list[tuple[str, list[str]]]]:
    """Collect each SELECT with the lines of its query plan."""
    plans: list[tuple[str, list[str]]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT") and connection.vendor == "sqlite":
            rows = execute(f"EXPLAIN QUERY PLAN {sql}", params, many, context).fetchall()
            plans.append((sql, [row[3] for row in rows]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield plans


def growing_scans(plans: list[tuple[str, list[str]]], *, is_search: bool) -> list[str]:
    """Return the statements that read a growing table to its end.

    A list in the order of an index, or of its keys, is read until the page is full. (The admin leaves out
    LIMIT where one page holds all rows, as here.) A search must look up what it finds.
    """
    tables = {model._meta.db_table for model in apps.get_models()} - SMALL
    growing = []
    for sql, lines in plans:
        is_scan = any((match := SCAN.match(line)) and match[1] in tables for line in lines)
        is_sorted = any(line.startswith("USE TEMP B-TREE FOR") for line in lines)
        in_order = not is_sorted or any("RIGHT PART OF ORDER BY" in line for line in lines)
        counts = "COUNT(" in sql and " LIMIT " not in sql
        if any(text in sql for text in OF_ALL_FILES):
            continue
        if is_scan and (is_search or counts or not in_order):
            growing.append(f"{sql[:60]} ... {sql[-200:]}: {lines}")
    return growing


@pytest.mark.slow
@pytest.mark.parametrize("model", find_admin_pages(), ids=lambda model: model._meta.label)
def test_a_list_of_the_admin_reads_no_growing_table(model: Any, client: Client) -> None:
    client.force_login(make_user("ada", "admin"))
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"

    with planned() as plans:
        assert client.get(address).status_code == 200
    with planned() as searched:
        assert client.get(address, {"q": "SE0000115446"}).status_code == 200

    assert any(model._meta.db_table in sql for sql, lines in plans)
    assert growing_scans(plans, is_search=False) == []
    of_model = [(sql, lines) for sql, lines in searched if " WHERE " in sql]
    assert growing_scans(of_model, is_search=True) == []
