"""Files of identifiers: sent by the API, on the page and by the command, and answered by a run."""

import contextlib
import csv
import datetime as dt
import io
import secrets
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from audit.models import Event
from esma_files.models import Run
from instruments.list_check.answers import COLUMNS_OF_ANSWER
from instruments.list_files import keeping
from instruments.models import Instrument, ListFile
from instruments.tasks import delete_expired_lists, run_answer
from tests import small_disks
from tests.accounts.clients import make_user

API, PAGE = "/api/v1/lists/", "/check/files/"
BOND = "DE000A1R07V3"
BAD_LINES = '\n"unclosed, XFRA\nDE000A1R07V4\n,,,\nDE000A1R07V3,XFRA,30/6/2020\n\udcfe\udcff'
pytestmark = pytest.mark.usefixtures("real_instruments", "own_folders")


@pytest.fixture
def client(db: None) -> Client:
    return sign_in("anna", "analyst")


def sign_in(name: str, role: str) -> Client:
    client = Client()
    client.force_login(make_user(name, role))
    return client


def send(client: Client, text: str | bytes, question: str = "reportability", **query: Any) -> Any:
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return client.post(
        API, body, content_type="text/csv", query_params={"question": question, **query}
    )


def work() -> None:
    for run in Run.objects.filter(state=Run.State.QUEUED):
        run_answer(run.pk)


def read_answers(client: Client, number: int) -> list[dict[str, str]]:
    response: Any = client.get(f"{API}{number}/answers/")
    assert response.status_code == 200, response.content
    text = b"".join(response).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def list_stored(settings: LazySettings) -> list[str]:
    storage: Any = storages[settings.FILES_LOCATION]
    return list(storage.names("lists"))


def test_the_answers_are_those_of_the_command_check_list(client: Client, tmp_path: Path) -> None:
    isins = Instrument.objects.order_by("pk").values_list("pk", flat=True)[:300]
    text = "isin,mic,day\n" + "".join(f"{isin},,2021-06-01\n" for isin in isins) + BAD_LINES
    path = tmp_path / "list.csv"
    # What is not UTF-8 is read as the replacement character.
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    path.write_text(readable, encoding="utf-8")

    sent = send(client, text, name="trades.csv", known_on="2026-01-01")
    assert sent.status_code == 202, sent.content
    number = sent.json()["number"]
    assert sent.headers["Location"].endswith(f"{API}{number}/")
    assert (sent.json()["lines"], sent.json()["answers"]) == (307, None)
    assert client.get(f"{API}{number}/answers/").status_code == 409
    work()

    out, err = io.StringIO(newline=""), io.StringIO()
    call_command("check_list", str(path), "--known_on", "2026-01-01", stdout=out, stderr=err)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    read = read_answers(client, number)
    assert [row["line"] for row in read] == [row["line"] for row in rows]
    assert [{**row, "isin": ""} for row in read] == [{**row, "isin": ""} for row in rows]
    assert list(read[0]) == list(COLUMNS_OF_ANSWER)
    assert [row["line"] for row in read if row["status"] == "invalid"] == [
        *("303", "304", "306", "307"),
    ]
    described = client.get(f"{API}{number}/").json()
    assert described["is_answered"]
    assert described["run"]["state"] == "done"
    assert (described["run"]["read"], described["run"]["rejected"]) == (304, 4)
    assert described["run"]["share"] == 1
    columns = "Read by the header: ISIN from “isin”, MIC from “mic”, day from “day”."
    assert described["run"]["report"][-1] == columns
    assert err.getvalue().strip() == columns


def test_a_look_up_has_a_row_for_each_line(client: Client) -> None:
    lei = Instrument.objects.exclude(issuer_lei="").order_by("isin")[0].issuer_lei
    lines = ("idType,idValue", f"ID_ISIN,{BOND}", f"ID_LEI,{lei}", 'TICKER,"none', "X,Y", "a,b,c")

    sent = send(client, "\n".join(lines), "lookup", spreadsheet="safe")
    work()

    rows = read_answers(client, sent.json()["number"])
    assert [row["line"] for row in rows] == ["2", "3", "4", "5", "6"]
    assert [row["outcome"] for row in rows] == ["data", "data", "warning", "error", "error"]
    assert (rows[0]["isins"], rows[0]["instruments"]) == (BOND, "1")
    issued = Instrument.objects.issued_by(lei).values_list("pk", flat=True)
    assert rows[1]["isins"].split() == sorted(issued)


def test_a_run_that_is_begun_again_gives_the_same_answers(client: Client) -> None:
    number = send(client, f"{BOND}\n").json()["number"]
    run = Run.objects.claim(ListFile.objects.get().run_id or 0)
    assert run is not None
    Run.objects.filter(pk=run.pk).update(sent_at=timezone.now(), claimed_by="other/1/2")
    run.refresh_from_db()
    following = run.abandon()
    assert following is not None
    assert client.get(f"{API}{number}/").json()["run"]["id"] == following.pk
    assert client.get(f"{API}{number}/").json()["run"]["state"] == "queued"

    work()

    assert client.get(f"{API}{number}/").json()["run"]["state"] == "done"
    [row] = read_answers(client, number)
    assert (row["isin"], row["status"]) == (BOND, "found")
    run_answer(following.pk)  # a message that is delivered again
    assert read_answers(client, number) == [row]


@pytest.mark.parametrize(
    ("text", "question", "message"),
    [
        ("", "reportability", "The list is empty"),
        ("isin\n" * 3 + "x" * 1_001, "reportability", "Line 4 has more than 1,000 characters."),
        ("PK\x03\x04\x14\x00" + "x" * 2_000, "reportability", "it is not text in UTF-8."),
        (BOND.encode("utf-16").decode("latin-1"), "lookup", "it is not text in UTF-8."),
        ("isin\nDE000A1R07V3\n", "lookup", "Unknown column 'isin'"),
        ("idType\nDE000A1R07V3\n", "lookup", "It must name each column once, idValue"),
    ],
)
def test_a_file_that_cannot_be_answered_is_refused_and_not_stored(
    client: Client, settings: LazySettings, text: str, question: str, message: str
) -> None:
    response = send(client, text, question)

    assert response.status_code == 400, response.content
    assert message in response.json()["detail"]
    assert list_stored(settings) == []
    assert not ListFile.objects.exists()
    assert list(Path(settings.DOWNLOAD_DIR).iterdir()) == []


@pytest.mark.slow
def test_a_file_of_more_than_a_million_lines_is_refused(client: Client) -> None:
    response = send(client, b"\n" * (keeping.MAX_LINES + 2))
    assert "more than 1,000,000 lines" in response.json()["detail"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: Client) -> None:
    response = client.post(
        f"{API}?question=lookup",
        b"x",
        content_type="text/csv",
        CONTENT_LENGTH=keeping.MAX_BYTES + 1,
    )
    assert response.status_code == 413


@pytest.mark.parametrize(("role", "status"), [("", 401), ("viewer", 403), ("analyst", 202)])
def test_only_those_who_may_look_up_files_may_send_them(
    role: str, status: int, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = True
    client = sign_in("somebody", role) if role else Client()
    assert send(client, f"{BOND}\n").status_code == status
    assert len(list_stored(settings)) == (1 if status == 202 else 0)
    large = SimpleUploadedFile("a.csv", b"x\n" * 600_000)
    page = client.post(PAGE, {"file": large, "question": "reportability"})
    assert page.status_code == {401: 302, 403: 403, 202: 302}[status]
    assert ListFile.objects.count() == (2 if status == 202 else 0)


def test_lists_are_seen_by_their_owner_alone(client: Client) -> None:
    number = send(client, f"{BOND}\n").json()["number"]
    work()
    other = sign_in("bert", "admin")

    for path in (f"{API}{number}/", f"{API}{number}/answers/", f"{PAGE}{number}/answers/"):
        assert other.get(path).status_code == 404
        with contextlib.closing(client.get(path)) as response:
            assert response.status_code == 200
    assert other.delete(f"{API}{number}/").status_code == 404
    assert other.post(f"{PAGE}{number}/delete/").status_code == 404
    assert other.get(API).json()["results"] == []
    run = other.get(f"/api/v1/runs/{ListFile.objects.get().run_id}/").json()
    assert run["arguments"] == {"list": str(number)}
    actions = set(Event.objects.filter(actor="anna").values_list("action", flat=True))
    assert actions >= {"list.create", "list.answers"}


def test_a_deleted_list_leaves_no_files_and_ends_its_run(
    client: Client, settings: LazySettings, django_capture_on_commit_callbacks: Any
) -> None:
    first = send(client, f"{BOND}\n").json()
    work()
    second = send(client, f"{BOND}\n").json()
    assert len(list_stored(settings)) == 3

    with django_capture_on_commit_callbacks(execute=True):
        for sent in (first, second):
            assert client.delete(f"{API}{sent['number']}/").status_code == 204
            assert client.get(f"{API}{sent['number']}/").status_code == 404

    assert list_stored(settings) == []
    work()
    run = Run.objects.get(pk=second["run"]["id"])
    assert (run.state, run.problem) == ("failed", f"List {second['number']} has been deleted.")
    assert list_stored(settings) == []


def test_lists_expire(client: Client, settings: LazySettings) -> None:
    number = send(client, f"{BOND}\n").json()["number"]
    work()
    ListFile.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))

    assert client.get(f"{API}{number}/answers/").status_code == 404
    delete_expired_lists()

    assert list_stored(settings) == []
    assert not ListFile.objects.exists()


def test_a_list_that_could_not_be_stored_leaves_no_bytes(
    client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    lines = [f"{secrets.token_hex(40)}\n".encode() for _ in range(30_000)]
    settings.MEDIA_ROOT = tmp_path / "small"
    with small_disks.mounted(Path(settings.MEDIA_ROOT), megabytes=1):
        with pytest.raises(OSError, match="No space left"):
            keeping.create("anna", lines, question="reportability", name="", parameters={})
        assert list_stored(settings) != []
        assert list(keeping.select("anna")) == []

        ListFile.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        delete_expired_lists()

        assert list_stored(settings) == []


def test_a_user_has_a_number_of_lists(client: Client) -> None:
    for _ in range(ListFile.MAX_OPEN_OF_USER):
        assert send(client, f"{BOND}\n").status_code == 202
    refused = send(client, f"{BOND}\n")
    assert refused.status_code == 409
    assert "are not answered yet" in refused.json()["detail"]
    work()
    ListFile.objects.bulk_create(
        ListFile(
            owner="anna",
            lines=1,
            answers="a",
            location="local",
            expires_at=timezone.now() + dt.timedelta(days=1),
        )
        for _ in range(ListFile.MAX_OF_USER - ListFile.MAX_OPEN_OF_USER)
    )
    assert "You have 10 lists" in send(client, f"{BOND}\n").json()["detail"]


def test_a_look_up_has_no_days_of_its_own(client: Client) -> None:
    response = send(client, "idValue\n", "lookup", on="2026-01-01")
    assert response.status_code == 400
    assert "question=reportability" in response.json()["detail"]


def test_the_page_sends_shows_and_deletes(client: Client) -> None:
    file = SimpleUploadedFile("trades.csv", f"{BOND},XFRA,2020-06-30\n".encode())
    invalid = client.post(PAGE, {"file": file, "question": "lookup", "on": "2020-06-30"})
    assert invalid.status_code == 400
    file.seek(0)
    sent = client.post(PAGE, {"file": file, "question": "reportability"})
    assert sent.status_code == 302
    shown = client.get(PAGE).content.decode()
    assert "trades.csv" in shown
    assert 'hx-trigger="every 2s"' in shown
    work()
    number = ListFile.objects.get().pk
    shown = client.get(PAGE).content.decode()
    assert (
        '<details><summary>Delete<span class="hidden"> trades.csv</span> …</summary><form' in shown
    )
    assert f"{PAGE}{number}/answers/" in shown
    assert "hx-trigger" not in shown.partition('id="lists"')[2].partition(">")[0]
    answers: Any = client.get(f"{PAGE}{number}/answers/")
    assert BOND in b"".join(answers).decode()
    assert client.post(f"{PAGE}{number}/delete/").status_code == 302
    assert "trades.csv" not in client.get(PAGE).content.decode()
    assert "Files of up to a million lines" in client.get("/check/").content.decode()


def test_the_command_sends_lists_writes_and_deletes(tmp_path: Path) -> None:
    source, target = tmp_path / "list.csv", tmp_path / "answers.csv"
    source.write_text(f"{BOND}\n")
    out = io.StringIO()
    call_command("list_files", "send", str(source), "--on", "2020-06-30", stdout=out)
    number = ListFile.objects.get().pk
    assert f"List {number}: 1 line waits for a worker." in out.getvalue()
    with pytest.raises(CommandError, match="is not answered yet"):
        call_command("list_files", "answers", str(number), str(target))
    work()
    call_command("list_files", "answers", str(number), str(target))
    [row] = csv.DictReader(io.StringIO(target.read_text(), newline=""))
    assert (row["isin"], row["on"]) == (BOND, "2020-06-30")
    call_command("list_files", "list", stdout=out)
    assert "list.csv" in out.getvalue()
    make_user("carl")
    call_command("list_files", "list", "--owner", "carl", stdout=out)
    assert "There are no files of carl." in out.getvalue()
    with pytest.raises(CommandError, match=f"There is no list {number} of carl\\."):
        call_command("list_files", "delete", str(number), "--owner", "carl")
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("list_files", "list", "--owner", "nobody")
    call_command("list_files", "delete", str(number), stdout=out)
    assert not keeping.select("").exists()
