"""Pages of operations: the calendar of files with gaps, runs, and rejected records."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from audit.models import Event
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, RejectedRecord, Run
from esma_files.names import FileName
from tests.accounts.clients import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


def know(*days: int, state: str = EsmaFile.State.LISTED) -> list[EsmaFile]:
    """Add a delta of these days of August 2026."""
    files = []
    for day in days:
        name = FileName.parse(f"DLTINS_202608{day:02}_01of01")
        file = EsmaFile.from_name(name, dataset=Dataset.ESMA_FIRDS)
        file.state = state
        file.set_order()
        file.save()
        files.append(file)
    return files


def test_the_calendar_shows_files_and_gaps_by_day(client: Client) -> None:
    know(3, 4, state=EsmaFile.State.LOADED)
    know(7)

    newest = client.get("/files/calendar/").content.decode()
    other = client.get("/files/calendar/", {"month": "2026-07"}).content.decode()
    invalid = client.get("/files/calendar/", {"month": "x", "dataset": "y"}).content.decode()

    assert "Files of August 2026" in newest
    assert newest.count(">1 loaded</a>") == 2
    assert newest.count(">1 listed</a>") == 1
    assert newest.count('class="gap"') == 2
    assert '>2026-08-06</td><td data-label="Missing">2 publications</td>' in newest
    assert "Files of July 2026" in other
    assert "1 gap<" in other
    assert "&#x27;x&#x27; is not a month as 2026-07." in invalid
    assert "&#x27;y&#x27; is not a valid choice" in invalid


def test_an_empty_database_has_a_calendar_of_this_month(client: Client) -> None:
    assert "No publication is missing" in client.get("/files/calendar/").content.decode()


def test_runs_are_listed_with_their_progress(client: Client) -> None:
    [file] = know(3)
    Run.objects.create(file=file, state=Run.State.DONE, read=1234, rejected=5)
    done = client.get("/files/runs/").content.decode()
    Run.objects.create(file=file, state=Run.State.RUNNING, share=0.255, requested_by="carla")

    page = client.get("/files/runs/").content.decode()
    failed = client.get("/files/runs/", {"state": "failed"}).content.decode()
    client.force_login(User.objects.create_superuser("root"))
    for_admin = client.get("/files/runs/").content.decode()

    assert "1,234" in done
    assert f'href="/files/rejects/?file={file.name}"' in done
    assert "hx-trigger" not in done.partition('id="runs"')[2]
    assert 'hx-trigger="every 2s"' in page
    assert 'value="26"' in page or 'value="25"' in page
    assert "carla" not in page
    assert "carla" in for_admin
    assert "No run matches." in failed


def test_the_page_of_a_file_follows_its_open_runs(client: Client) -> None:
    [file] = know(3)
    run = Run.objects.create(file=file, state=Run.State.RUNNING, share=0.5)
    running = client.get(f"/files/{file.pk}/").content.decode()
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE)
    done = client.get(f"/files/{file.pk}/").content.decode()

    assert 'hx-trigger="every 2s"' in running
    assert '<progress max="1" value="0.500"' in running
    assert "<progress" not in done
    assert "every 2s" not in done


def test_rejected_records_are_shown_as_published(client: Client) -> None:
    [file] = know(3)
    for position in range(1, 4):
        RejectedRecord.objects.create(
            file=file,
            position=position,
            isin=f"X{position}",
            field="A/B",
            value="<x>",
            reason="no",
            record={"Id": "<y>", "Long": "z" * 5_000},
        )

    page = client.get("/files/rejects/").content.decode()
    filtered = client.get("/files/rejects/", {"isin": "X2"}).content.decode()

    assert "3 records<" in page
    assert "&quot;Id&quot;: &quot;&lt;y&gt;&quot;" in page
    assert len(page) < 20_000
    assert "1 record<" in filtered
    assert "No rejected record matches." in client.get("/files/rejects/?mic=X").content.decode()


def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    numbers = {"calendar/?month=2026-08": 5, "runs/": 2, "rejects/": 2}
    for _ in range(2):
        for file in know(*range(1 + EsmaFile.objects.count(), 6 + EsmaFile.objects.count())):
            Run.objects.create(file=file, state=Run.State.DONE)
            RejectedRecord.objects.create(file=file, position=1, reason="no")
        for path, number in numbers.items():
            with django_assert_num_queries(number):
                assert client.get(f"/files/{path}").status_code == 200


def test_files_are_retried_and_released_on_their_page(client: Client) -> None:
    failed, held = know(3, 4)
    EsmaFile.objects.filter(pk=failed.pk).update(state=EsmaFile.State.FAILED)
    EsmaFile.objects.filter(pk=held.pk).update(state=EsmaFile.State.HELD)
    retry = f"/files/{failed.pk}/retry/"
    assert b"Retry" not in client.get(f"/files/{failed.pk}/").content
    assert client.post(retry).headers["Location"].startswith("/sign-in/")
    client.force_login(User.objects.create_user("reader"))
    assert client.post(retry).status_code == 403
    assert not Run.objects.exists()

    client.force_login(User.objects.create_superuser("root"))
    assert b"Retry" in client.get(f"/files/{failed.pk}/").content
    page = client.post(retry, follow=True).content.decode()
    again = client.post(retry, follow=True).content.decode()
    client.post(f"/files/{held.pk}/release/")

    assert "Requested as run" in page
    assert "only failed files can be retried" in again
    kinds = Run.objects.order_by("pk").values_list("file", "kind", "requested_by")
    assert list(kinds) == [(failed.pk, "download", "root"), (held.pk, "load", "root")]
    names = set(Event.objects.values_list("action", flat=True))
    assert names >= {"file.download", "file.release", "file.load"}
    assert client.get(retry).status_code == 405
    assert client.post(f"/files/{held.pk}/burn/").status_code == 404


def test_the_storage_is_shown_by_tier_with_its_budget(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert "No file is stored." in client.get("/files/storage/").content.decode()
    files = know(3, 4)
    stored = {"content": "x", "size": 1_500_000, "location": "blob", "tier": "cool"}
    EsmaFile.objects.filter(pk__in=[file.pk for file in files]).update(**stored)

    with django_assert_num_queries(1):
        page = client.get("/files/storage/").content.decode()

    assert "2 files" in page
    assert "Cool" in page
    assert "US dollars" in page


def count_costly(settings: LazySettings, folder: Path, rate: str) -> None:
    counts = {
        "BACKEND": "marketdata.web.counts.FileCounts",
        "LOCATION": str(folder / "counts.sqlite3"),
    }
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = {**settings.LIMITS, "costly": [rate]}


def test_costly_pages_and_actions_count_as_such(
    client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    count_costly(settings, tmp_path, "2/h")
    [file] = know(3)
    EsmaFile.objects.filter(pk=file.pk).update(state=EsmaFile.State.FAILED)
    assert [client.get("/files/storage/").status_code for _ in range(3)] == [200, 200, 429]

    curator = User.objects.create_user("cleo")
    curator.groups.add(Group.objects.get(name="curator"))
    client.force_login(curator)
    assert [client.get("/files/storage/").status_code for _ in range(2)] == [200, 200]
    page = client.post(f"/files/{file.pk}/retry/", follow=True).content.decode()

    assert "Too many costly requests" in page
    assert not Run.objects.exists()


def test_uploads_count_as_costly_and_their_form_does_not(
    client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    count_costly(settings, tmp_path, "1/h")
    curator = User.objects.create_user("cleo")
    curator.groups.add(Group.objects.get(name="curator"))
    client.force_login(curator)

    forms = [client.get("/files/upload/") for _ in range(3)]
    first, second = (
        client.post("/files/upload/", {"file": SimpleUploadedFile("a.zip", b"x")}) for _ in range(2)
    )

    assert [form.status_code for form in forms] == [200, 200, 200]
    assert (first.status_code, second.status_code) == (400, 429)
    assert "Too many costly requests: try again in" in second.content.decode()
    assert int(second["Retry-After"]) > 0


def test_datasets_have_their_names_on_the_pages(client: Client) -> None:
    [file] = know(3)
    EsmaFile.objects.update(content="firds/x.zip", size=900)

    assert ">ESMA FIRDS</a>" in client.get("/files/storage/").content.decode()
    assert "ESMA FIRDS" in client.get(f"/files/{file.pk}/").content.decode()


def test_checks_on_the_page_of_health_lead_to_the_files(client: Client) -> None:
    client.force_login(make_user("curt", "curator"))

    page = client.get("/status/").content.decode()

    assert '<a href="/files/?state=failed">Failed files</a>' in page
    assert '<a href="/files/?state=held">Held files</a>' in page
    assert '<a href="/files/calendar/">Gaps</a>' in page
    assert '<a href="/files/storage/">Storage budget</a>' in page
