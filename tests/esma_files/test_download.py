"""Fetching files from a server that misbehaves as the real ones do."""

import datetime as dt
import hashlib
import random
from pathlib import Path

import pytest
from django.conf import LazySettings

from esma_files import downloading, errors, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import ForbiddenAddress, Refused, Unavailable
from tests import small_disks
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db(transaction=True)

DAY = dt.date(2025, 8, 30)
NAME = "DLTINS_20250830_01of01.zip"
PATH = f"/files/{NAME}"
# Larger than the pieces it is read in, and different everywhere.
CONTENT = b"PK\x03\x04" + random.Random(7).randbytes(1_500_000)


@pytest.fixture
def file(esma: FakeRegister) -> EsmaFile:
    esma.publish(NAME, CONTENT, day=f"{DAY}")
    return listed()


def listed() -> EsmaFile:
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    return EsmaFile.objects.order_by("-revision")[0]


def download(file: EsmaFile) -> downloading.Result:
    [result] = downloading.download([file])
    return result


def stored(file: EsmaFile) -> bytes:
    with file.open() as content:
        return bytes(content.read())


def test_a_file_is_fetched_checked_and_stored(file: EsmaFile, settings: LazySettings) -> None:
    result = download(file)

    assert result.error is None
    file = EsmaFile.objects.get()
    assert (file.state, file.size) == (EsmaFile.State.DOWNLOADED, len(CONTENT))
    assert stored(file) == CONTENT
    assert result.run is not None
    assert (result.run.state, result.run.done, result.run.unit) == ("done", len(CONTENT), "bytes")
    assert list(Path(settings.DOWNLOAD_DIR).iterdir()) == []


def test_a_full_disk_is_named_and_the_file_is_fetched_again_later(
    file: EsmaFile, settings: LazySettings, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "small", megabytes=1) as disk:
        settings.DOWNLOAD_DIR = disk
        error = download(file).error

    assert isinstance(error, errors.StorageRefused)
    assert f"the disk of {disk} (mounted at {disk}) is too full" in str(error)
    file.refresh_from_db()
    assert (file.state, file.attempts) == (EsmaFile.State.LISTED, 1)
    assert file.not_before is not None


def test_a_cut_connection_goes_on_where_it_stopped(file: EsmaFile, esma: FakeRegister) -> None:
    esma.trouble(PATH, Trouble(cut_after=700_000), Trouble(cut_after=300_000))

    assert download(file).error is None

    assert stored(EsmaFile.objects.get()) == CONTENT
    asked = [headers.get("Range", "bytes=0-") for headers in esma.asked(PATH)]
    first, second, third = [int(of.removeprefix("bytes=").rstrip("-")) for of in asked]
    assert first == 0
    assert 600_000 < second <= 700_000
    assert 200_000 < third - second <= 300_000


@pytest.mark.parametrize(
    "troubles",
    [
        [Trouble(cut_after=700_000), Trouble(ignore_range=True)],
        [Trouble(status=503), Trouble(status=429, headers={"Retry-After": "0"})],
        [Trouble(wait=3)],
        [Trouble(claim=len(CONTENT) + 10)],
        [Trouble(cut_after=700_000), Trouble(status=416)],
        [Trouble(body=b"")],
    ],
    ids=["no ranges", "busy", "slow", "promises more", "416", "empty"],
)
def test_what_passes_does_no_harm(
    file: EsmaFile, esma: FakeRegister, troubles: list[Trouble]
) -> None:
    esma.trouble(PATH, *troubles)

    assert download(file).error is None

    assert stored(EsmaFile.objects.get()) == CONTENT


def test_a_file_that_changes_while_it_is_fetched_is_fetched_anew(esma: FakeRegister) -> None:
    """Without an MD5 the server's ETag tells: the rest of other bytes is not taken for the rest."""
    esma.publish(NAME, CONTENT, day=f"{DAY}", with_checksum=False)
    other = CONTENT[:1000] + CONTENT[1000:][::-1]
    esma.trouble(PATH, Trouble(body=other, cut_after=700_000))

    assert download(listed()).error is None

    file = EsmaFile.objects.get()
    assert stored(file) == CONTENT
    assert file.md5 == hashlib.md5(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("troubles", "error", "state", "message"),
    [
        ([Trouble(status=404)], Refused, "failed", "HTTP 404"),
        ([Trouble(status=503)] * 3, Unavailable, "listed", "HTTP 503"),
        ([Trouble(body=CONTENT[:-1] + b"x")], errors.WrongBytes, "listed", "expected MD5"),
        ([Trouble(claim=900_000)], errors.WrongBytes, "listed", "900,000 bytes"),
        ([Trouble(body=b"<html>sorry</html>")], errors.NotAFile, "failed", "instead of a zip"),
        (
            [Trouble(status=302, headers={"Location": "http://10.0.0.1/x.zip"})],
            ForbiddenAddress,
            "failed",
            "10.0.0.1",
        ),
    ],
    ids=["404", "busy", "wrong bytes", "claims less", "a page", "redirect"],
)
def test_what_is_wrong_is_not_stored(
    file: EsmaFile,
    esma: FakeRegister,
    settings: LazySettings,
    *,
    troubles: list[Trouble],
    error: type[Exception],
    state: str,
    message: str,
) -> None:
    esma.trouble(PATH, *troubles)

    result = download(file)

    assert isinstance(result.error, error)
    file = EsmaFile.objects.get()
    assert (file.state, file.has_content) == (state, False)
    assert message in file.problem
    assert result.run is not None
    assert (result.run.state, message in result.run.problem) == (Run.State.FAILED, True)
    assert not any(Path(settings.MEDIA_ROOT).rglob("*.zip"))
    if state == "listed":  # it is tried again, after a while
        assert file.attempts == 1
        assert file.not_before is not None
        assert not EsmaFile.objects.due(EsmaFile.State.LISTED).exists()
        # a person need not wait
        assert download(file).error is None
        assert stored(EsmaFile.objects.get()) == CONTENT


def test_in_the_end_it_is_given_up(
    file: EsmaFile, esma: FakeRegister, settings: LazySettings
) -> None:
    settings.MAX_ATTEMPTS = 2
    esma.trouble(PATH, *[Trouble(body=b"PK other bytes")] * 2)

    assert download(file).error
    assert download(EsmaFile.objects.get()).error

    file = EsmaFile.objects.get()
    assert file.state == EsmaFile.State.FAILED
    assert "given up after 2 attempts" in file.problem
    # until somebody says so
    assert EsmaFile.objects.all().retry() == 1
    assert EsmaFile.objects.get().state == EsmaFile.State.LISTED
    assert download(EsmaFile.objects.get()).error is None


def test_a_file_that_is_too_large_is_refused(file: EsmaFile, settings: LazySettings) -> None:
    settings.DOWNLOAD_MAX_BYTES = 1_000_000

    result = download(file)

    assert isinstance(result.error, errors.TooLarge)
    assert EsmaFile.objects.get().state == EsmaFile.State.FAILED
    assert not any(Path(settings.DOWNLOAD_DIR).iterdir())


def test_nothing_is_fetched_beyond_the_budget(file: EsmaFile, settings: LazySettings) -> None:
    assert download(file).error is None
    settings.STORAGE_BUDGET_BYTES = len(CONTENT)

    result = download(downloading.prepare_refetch(EsmaFile.objects.get()))

    assert isinstance(result.error, errors.BudgetExceeded)
    assert "clean_files" in str(result.error)


def test_what_an_earlier_process_has_fetched_is_used(
    file: EsmaFile, esma: FakeRegister, settings: LazySettings
) -> None:
    part = Path(settings.DOWNLOAD_DIR) / f"{file.pk}.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:900_000])

    assert download(file).error is None

    assert stored(EsmaFile.objects.get()) == CONTENT
    [headers] = esma.asked(PATH)
    assert headers["Range"] == "bytes=900000-"


@pytest.mark.parametrize("left", [b"PK something else", CONTENT, CONTENT + b"more"])
def test_what_an_earlier_process_has_left_is_not_trusted(
    file: EsmaFile, settings: LazySettings, left: bytes
) -> None:
    part = Path(settings.DOWNLOAD_DIR) / f"{file.pk}.part"
    part.parent.mkdir()
    part.write_bytes(left)

    assert download(file).error is None

    assert stored(EsmaFile.objects.get()) == CONTENT


def test_republished_bytes_are_a_new_revision_and_the_old_ones_stay(
    file: EsmaFile, esma: FakeRegister
) -> None:
    download(file)
    esma.entries.clear()
    esma.publish(NAME, b"PK other", day=f"{DAY}")
    download(listed())

    old, new = EsmaFile.objects.order_by("revision")
    assert (stored(old), stored(new)) == (CONTENT, b"PK other")
    assert (old.revision, new.revision) == (0, 1)


def test_again_finds_out_whether_a_file_without_checksum_has_changed(esma: FakeRegister) -> None:
    esma.publish(NAME, CONTENT, day=f"{DAY}", with_checksum=False)
    download(listed())
    first = EsmaFile.objects.get()

    same = download(downloading.prepare_refetch(first))
    assert (same.file.pk, EsmaFile.objects.count()) == (first.pk, 1)
    assert first.runs.count() == 2

    esma.files[PATH] = b"PK changed"
    changed = download(downloading.prepare_refetch(first))
    assert changed.file.revision == 1
    assert (stored(first), stored(changed.file)) == (CONTENT, b"PK changed")


def test_a_file_that_is_busy_or_stored_is_left_alone(file: EsmaFile, esma: FakeRegister) -> None:
    assert EsmaFile.objects.claim(file.pk, from_state="listed", to_state="downloading")
    result = download(file)
    assert (result.run, result.error) == (None, None)

    EsmaFile.objects.update(state="listed")
    download(file)
    assert download(file).run is None
    assert len(esma.asked(PATH)) == 1
