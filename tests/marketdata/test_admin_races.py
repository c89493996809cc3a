"""Forms of the admin that were valid, and whose rows another person saved first.

A trigger stands for the other person: with SQLite, transactions of two people follow one another, so that the
index refuses the second row with another database only.
"""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from instruments.models import Correction, OutputProfile
from instruments.venues.load import load_bundled_if_none

pytestmark = pytest.mark.django_db(transaction=True)
Refuse = Callable[[str], None]


@pytest.fixture
def refuse(request: pytest.FixtureRequest) -> Refuse:
    """Return a function that has a table refuse new rows, as its unique index does."""

    def add_trigger(table: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed'); END"
            )
        request.addfinalizer(lambda: drop_trigger(table))

    def drop_trigger(table: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refuse_{table}")

    return add_trigger


def test_a_profile_that_somebody_else_has_just_saved(admin_client: Client, refuse: Refuse) -> None:
    refuse("instruments_outputprofile")
    form = {
        "name": "vendor",
        "title": "",
        "columns": '[{"name": "ID", "field": "isin"}]',
        "omitted": "[]",
    }

    answer = admin_client.post("/admin/instruments/outputprofile/add/", form, follow=True)

    page = answer.content.decode()
    assert "The profile vendor@1 has just been saved by somebody else. Nothing was saved." in page
    assert not OutputProfile.objects.exists()


def test_a_correction_that_somebody_else_has_just_proposed(
    admin_client: Client, refuse: Refuse
) -> None:
    load_bundled_if_none()
    refuse("instruments_correction")
    form = {"mic": "XETR", "field": "name", "value": "XETRA RIGHT", "reason": "Misspelt"}

    answer = admin_client.post("/admin/instruments/correction/add/", form, follow=True)

    page = answer.content.decode()
    assert "Another correction of the same value was just proposed. Nothing was saved." in page
    assert not Correction.objects.exists()
