"""The pages of files, on real files and one with a rejected record."""

import pytest
from django.conf import LazySettings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from esma_files.models import EsmaFile, RejectedRecord

pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def test_files_are_listed_and_filtered(client: Client) -> None:
    page = client.get("/files/").content.decode()
    files = EsmaFile.objects.all()

    assert all(f">{file.name}</a>" in page for file in files)
    name = files.order_by("name")[0].name
    day = files.get(name=name).published_on
    for query in (f"name={name}", f"name={name[:-4]}&state=loaded&dataset=esma_firds&day={day}"):
        filtered = client.get(f"/files/?{query}").content.decode()
        assert "1 file<" in filtered, query
    assert "No file matches." in client.get("/files/?state=failed").content.decode()
    assert "is not a valid choice" in client.get("/files/?state=x").content.decode()


def test_a_file_shows_its_runs_and_rejected_records(client: Client) -> None:
    file = EsmaFile.objects.filter(runs__isnull=False).first()
    assert file is not None
    for position in range(1, 25):
        RejectedRecord.objects.create(
            file=file, position=position, isin="SE0000115446", field="A/B", value="<x>", reason="no"
        )

    page = client.get(f"/files/{file.pk}/").content.decode()

    assert "Last runs" in page
    assert page.count("&lt;x&gt;") == 20
    assert "All of them, as published" in page
    assert client.get("/files/999999/").status_code == 404


def test_files_are_for_readers(client: Client, settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = False

    assert client.get("/files/").headers["Location"].startswith("/sign-in/")


def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        client.get("/files/")
    with django_assert_max_num_queries(5):
        client.get(f"/files/{EsmaFile.objects.earliest('pk').pk}/")
