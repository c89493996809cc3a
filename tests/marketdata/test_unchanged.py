"""Values that are remembered while the database is unchanged, and prepared statements."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import api_keys
from accounts.models import ApiKey, User
from instruments.models import Venue
from marketdata.common.prepared import PreparedQuery
from marketdata.common.unchanged import remember


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(1_000))


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_value_is_remembered_until_this_connection_writes(numbers: Iterator[int]) -> None:
    first = remember("key", lambda: next(numbers))
    assert remember("key", lambda: next(numbers)) == first
    assert remember("other key", lambda: next(numbers)) != first

    Venue.objects.create(mic="XNEW")

    assert remember("key", lambda: next(numbers)) != first


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_value_is_remembered_until_another_connection_commits(numbers: Iterator[int]) -> None:
    first = remember("key", lambda: next(numbers))
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE instruments_venue SET name = name")
        other.execute("DELETE FROM django_session")
        other.execute("INSERT INTO django_session VALUES ('k', 'd', '2030-01-01')")
        assert remember("key", lambda: next(numbers)) == first
        other.commit()

    assert remember("key", lambda: next(numbers)) != first


@pytest.mark.django_db(transaction=True)
def test_nothing_is_remembered_within_a_transaction(numbers: Iterator[int]) -> None:
    with transaction.atomic():
        first = remember("key", lambda: next(numbers))
        assert remember("key", lambda: next(numbers)) != first


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_an_api_key_is_read_once_and_refused_at_once_when_it_is_revoked(client: Client) -> None:
    owner = User.objects.create_user("nina", is_superuser=True)
    permissions = ["instruments.view_venue"]
    _, text = api_keys.create(owner, name="test", permissions=permissions, days=1)
    headers = {"authorization": f"Api-Key {text}"}
    for _ in range(2):  # the first one records the use of the key
        assert client.get("/api/v1/venues/", headers=headers).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/api/v1/venues/", headers=headers).status_code == 200
    assert not [query for query in queries if "accounts_" in query["sql"]]

    api_keys.revoke(ApiKey.objects.get())

    assert client.get("/api/v1/venues/", headers=headers).status_code == 401


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_user_who_loses_a_permission_is_refused_at_once(client: Client) -> None:
    owner = User.objects.create_user("nina", is_superuser=True)
    permissions = ["instruments.view_venue"]
    _, text = api_keys.create(owner, name="test", permissions=permissions, days=1)
    headers = {"authorization": f"Api-Key {text}"}
    for _ in range(2):
        assert client.get("/api/v1/venues/", headers=headers).status_code == 200

    User.objects.filter(pk=owner.pk).update(is_superuser=False)

    assert client.get("/api/v1/venues/", headers=headers).status_code == 403


@pytest.mark.slow
@pytest.mark.django_db
def test_a_prepared_query_is_compiled_once_for_each_number_of_keys() -> None:
    for mic in ("AAAA", "BBBB", "CCCC"):
        Venue.objects.create(mic=mic, name=f"Venue {mic}", country="DE", created_on="2020-01-02")
    built = []

    def build(keys: Sequence[str]) -> QuerySet[Any, Any]:
        built.append(keys)
        return (
            Venue.objects.filter(mic__in=keys, country="DE")
            .order_by("mic")
            .values_list("mic", "created_on")
        )

    query = PreparedQuery(build)

    assert [list(row) for row in query.read("AAAA")] == list(
        map(list, Venue.objects.filter(mic="AAAA").values_list("mic", "created_on"))
    )
    assert [row[0] for row in query.read("CCCC")] == ["CCCC"]
    assert [row[0] for row in query.read("CCCC", "BBBB")] == ["BBBB", "CCCC"]
    assert not list(query.read("none"))
    assert len(built) == 2
