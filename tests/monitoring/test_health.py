"""Health checks: alive, and ready."""

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketdata import __version__


def test_a_process_lives_without_asking_the_database(client: Client) -> None:
    """Without a mark for the database, pytest-django refuses every query."""
    response = client.get("/health/live/")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "version": __version__, "checks": {}}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/", "/health/ready/"])
def test_a_migrated_database_is_ready(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert response.json()["checks"] == {"database": "ok", "migrations": "ok"}
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_a_database_that_lacks_a_migration_is_not_ready(client: Client) -> None:
    last = MigrationRecorder.Migration.objects.filter(app="audit").latest("id")
    MigrationRecorder(connection).record_unapplied(last.app, last.name)

    response = client.get("/health/ready/")

    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert response.json()["checks"]["migrations"].endswith(" missing")


@pytest.mark.django_db
def test_migrations_are_asked_for_once(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/health/ready/")

    with django_assert_num_queries(1):
        client.get("/health/ready/")


@pytest.mark.django_db
def test_a_platform_asks_by_any_host_and_by_plain_http(
    client: Client, settings: LazySettings
) -> None:
    settings.SECURE_SSL_REDIRECT = True

    for path in ("/health/live/", "/health/ready/"):
        assert client.get(path, headers={"host": "169.254.130.4:8000"}).status_code == 200
