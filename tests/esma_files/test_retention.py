"""The retention plan: its rules, and that no file is deleted against them."""

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from esma_files import retention, steps, store, usage
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from esma_files.names import FileName
from esma_files.storage.blob import BlobStorage
from instruments import pipeline as instruments
from tests.conftest import FIRDS

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = dt.date(2026, 11, 22)


@pytest.fixture(autouse=True)
def quick_names(settings: LazySettings) -> None:
    settings.STORAGE_BUDGET_BYTES = 1_000_000


def stored(name: str, *, size: int = 1000, loaded: bool = True, **fields: Any) -> EsmaFile:
    """A row of a file of this name, with bytes in the storage."""
    file = EsmaFile.from_name(FileName.parse(name), dataset=Dataset.ESMA_FIRDS)
    path = Path(storages["local"].path("")) / "made"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode().ljust(size, b"."))
    with path.open("rb") as source:
        file.md5, _ = store.checksum(source)
    store.put(file, path, md5=file.md5, size=size)
    file.loaded_at = timezone.now() if loaded else None
    store.save_stored(file)
    EsmaFile.objects.filter(pk=file.pk).update(**fields)
    file.refresh_from_db()
    return file


def days_ago(days: int) -> str:
    return f"{TODAY - dt.timedelta(days=days):%Y%m%d}"


def plan() -> dict[str, tuple[str, str]]:
    return {a.file.name: (a.verb, a.reason) for a in retention.plan(today=TODAY)}


def verbs() -> dict[str, str]:
    return {name: verb for name, (verb, _) in plan().items()}


def test_deltas_go_after_thirty_days_when_they_are_loaded() -> None:
    young = stored(f"DLTINS_{days_ago(30)}_01of01")
    old = stored(f"DLTINS_{days_ago(31)}_01of01")
    cancelled = stored(f"FULCAN_{days_ago(40)}_01of01")
    kept = stored(f"DLTINS_{days_ago(60)}_01of01", kept=True)
    waiting = stored(f"DLTINS_{days_ago(61)}_01of01", loaded=False)
    failed = stored(f"DLTINS_{days_ago(62)}_01of01", loaded=False, state="failed")

    assert verbs() == {
        young.name: "leave",
        old.name: "delete",
        cancelled.name: "delete",
        kept.name: "leave",
        waiting.name: "leave",
        failed.name: "leave",
    }
    assert plan()[old.name][1] == "a delta of 31 days, more than DELETE_DELTAS_AFTER_DAYS=30"
    assert "marked as kept" in plan()[kept.name][1]
    assert "not loaded yet" in plan()[waiting.name][1]


def test_a_set_goes_as_a_whole_or_not_at_all() -> None:
    day = days_ago(31)
    parts = [stored(f"DLTINS_{day}_0{part}of03", loaded=part != 2) for part in (1, 2, 3)]
    incomplete = stored(f"DLTINS_{days_ago(32)}_01of02")

    assert set(verbs().values()) == {"leave"}
    assert "part 2 of its set is missing" in plan()[incomplete.name][1]

    EsmaFile.objects.filter(pk=parts[1].pk).update(loaded_at=timezone.now(), state="loaded")
    assert [verbs()[part.name] for part in parts] == ["delete"] * 3


def test_full_files_stay_while_there_is_room_and_the_newest_complete_set_always(
    settings: LazySettings,
) -> None:
    old = [stored(f"FULINS_E_{days_ago(90)}_0{part}of02") for part in (1, 2)]
    newest = [stored(f"FULINS_E_{days_ago(60)}_0{part}of02") for part in (1, 2)]
    half = stored(f"FULINS_E_{days_ago(7)}_01of02")
    other = stored(f"FULINS_D_{days_ago(200)}_01of01")
    assert set(verbs().values()) == {"leave"}

    settings.STORAGE_BUDGET_BYTES = 100
    found = plan()

    gone = {name for name, (verb, _) in found.items() if verb == "delete"}
    assert gone == {file.name for file in old}
    assert "over STORAGE_BUDGET_BYTES=100" in found[old[0].name][1]
    for file in (*newest, half, other):
        assert found[file.name][0] == "leave"


def test_over_the_budget_the_oldest_go_first_and_no_more_than_needed(
    settings: LazySettings,
) -> None:
    for days in (100, 80, 60, 40, 20):
        stored(f"FULINS_E_{days_ago(days)}_01of01")
    settings.STORAGE_BUDGET_BYTES = 3000

    assert list(verbs().values()) == ["delete", "delete", "leave", "leave", "leave"]


def test_what_is_planned_is_done_and_said() -> None:
    old, young = (
        stored(f"DLTINS_{timezone.localdate() - dt.timedelta(days=n):%Y%m%d}_01of01")
        for n in (31, 2)
    )
    path = Path(old.content.path)

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("clean_files", *arguments, stdout=out)
        return out.getvalue()

    [row] = json.loads(run("--dry-run", "--format", "json"))
    assert (row["file"], row["action"], row["bytes"]) == (old.name, "delete", 1000)
    everything = json.loads(run("--dry-run", "--all", "--format", "json"))
    assert [row["action"] for row in everything] == ["delete", "leave"]
    assert "1,000 bytes would be freed" in run("--dry-run")
    assert path.exists()

    assert "1 deleted, 0 moved or compressed, 1 left" in run()
    assert not path.exists()
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.state, old.has_content, old.size) == ("deleted", False, 0)
    assert (young.state, young.has_content) == ("loaded", True)
    assert "0 deleted" in run()
    # and what is deleted can be had again
    assert not EsmaFile.objects.due(EsmaFile.State.LISTED).exists()


def test_a_plan_that_is_overtaken_is_not_carried_out() -> None:
    file = stored(f"DLTINS_{days_ago(31)}_01of01")
    planned = retention.plan(today=TODAY)
    EsmaFile.objects.update(kept=True)

    [done] = retention.carry_out(planned)

    assert done.skipped
    assert EsmaFile.objects.get().has_content
    EsmaFile.objects.update(kept=False)
    assert EsmaFile.objects.claim(file.pk, from_state="loaded", to_state="loading")
    [done] = retention.carry_out(planned)
    assert done.skipped


def test_a_deletion_that_was_killed_is_finished_by_the_next_clean_up() -> None:
    file = stored(f"DLTINS_{days_ago(31)}_01of01")
    path = Path(file.content.path)
    EsmaFile.objects.update(state="deleted")  # as left by a process that was killed right then

    run = steps.clean_up()

    assert not path.exists()
    assert f"{file.stored_name}: removed, an unfinished step had left it" in run.report


def test_a_deletion_of_two_files_that_was_killed_between_them_is_finished() -> None:
    files = [stored(f"DLTINS_{days_ago(days)}_01of01") for days in (31, 32)]
    paths = [Path(file.content.path) for file in files]
    EsmaFile.objects.update(state="deleted")
    retention.remove_bytes(files[0])
    assert [path.exists() for path in paths] == [False, True]

    steps.clean_up()

    assert [path.exists() for path in paths] == [False, False]


def test_parts_of_dead_downloads_are_swept_and_strange_files_only_reported(
    settings: LazySettings,
) -> None:
    import os

    folder = Path(settings.DOWNLOAD_DIR)
    folder.mkdir(exist_ok=True)
    (folder / "1.part").write_bytes(b"PK")
    (folder / "2.part").write_bytes(b"PK")
    os.utime(folder / "1.part", (0, 0))
    strange = Path(settings.MEDIA_ROOT) / "firds" / "2025" / "whose.zip"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"PK")

    report = steps.clean_up().report

    assert [path.name for path in folder.iterdir()] == ["2.part"]
    assert "firds/2025/whose.zip: is in the storage, and no row refers to it" in report
    assert strange.exists()


def test_files_stored_as_xml_are_loaded_and_packed_after_a_week(tmp_path: Path) -> None:
    import zipfile

    name = "FULINS_C_20250830_01of01"
    with zipfile.ZipFile(FIRDS / f"{name}.zip") as archive:
        xml = archive.read(archive.namelist()[0])
    path = tmp_path / f"{name}.xml"
    path.write_bytes(xml)
    [loaded] = instruments.load(instruments.register_files([path]))
    assert loaded.error is None
    assert loaded.run is not None
    assert loaded.run.read == 5
    file = EsmaFile.objects.get()
    assert file.stored_name.endswith(".xml")
    published = file.md5

    run = steps.clean_up()

    assert run.changed == 1
    file.refresh_from_db()
    assert file.stored_name.endswith(".zip")
    assert file.size < len(xml)
    assert file.md5 == published != file.stored_md5
    with file.open() as source, zipfile.ZipFile(source) as packed:
        assert packed.read(packed.namelist()[0]) == xml
    assert not any(Path(storages["local"].path("")).rglob("*.xml"))
    [again] = instruments.load([file])
    assert again.error is None
    # the same XML is still known
    assert instruments.register_files([path])[0].pk == file.pk


def test_tiers_by_age_in_blob_storage(azurite: str, settings: LazySettings) -> None:
    backend = {
        "BACKEND": "esma_files.storage.blob.BlobStorage",
        "OPTIONS": {"connection_string": azurite},
    }
    settings.STORAGES = {**settings.STORAGES, "blob": backend}
    settings.FILES_LOCATION = "blob"
    settings.STORAGE_BUDGET_BYTES = 10_000_000
    fresh = stored(f"FULINS_E_{days_ago(7)}_01of01", size=1_000_000)
    week = stored(f"FULINS_E_{days_ago(8)}_01of01")
    month = stored(f"FULINS_E_{days_ago(31)}_01of01", size=1_000_000)
    waiting = stored(f"FULINS_D_{days_ago(90)}_01of01", loaded=False)
    newest = stored(f"FULINS_C_{days_ago(90)}_01of01")

    assert verbs() == {
        fresh.name: "leave",
        week.name: "cool",
        month.name: "archive",
        waiting.name: "cool",
        newest.name: "cool",
    }
    assert all(done.error is None for done in retention.carry_out(retention.plan(today=TODAY)))
    storage = storages["blob"]
    assert isinstance(storage, BlobStorage)
    assert storage.tier(month.stored_name) == "archive"
    month.refresh_from_db()
    assert month.state == "archived"
    assert set(verbs().values()) == {"leave"}
    costs = {share.tier: share.monthly_cost for share in usage.collect().shares}
    assert 0 < costs["archive"] < costs["hot"]


def test_a_set_is_deleted_by_hand_under_the_same_rules() -> None:
    newest = stored(f"FULINS_E_{days_ago(60)}_01of01")
    day = days_ago(3)
    first, second = (stored(f"DLTINS_{day}_0{part}of02") for part in (1, 2))
    unloaded = stored(f"DLTINS_{days_ago(2)}_01of01", loaded=False)

    for file, message in ((newest, "newest complete full set"), (unloaded, "not loaded yet")):
        with pytest.raises(CommandError, match=message):
            call_command("files", "delete", file.name)
    out = io.StringIO()
    call_command("files", "delete", first.name, stdout=out)

    assert f"deleted {first.name}, {second.name}" in out.getvalue()
    assert {f.name for f in EsmaFile.objects.stored()} == {newest.name, unloaded.name}


def test_usage_adds_up_and_warns(settings: LazySettings) -> None:
    stored(f"DLTINS_{timezone.localdate() - dt.timedelta(days=3):%Y%m%d}_01of01", size=3000)
    stored(f"FULINS_E_{timezone.localdate() - dt.timedelta(days=40):%Y%m%d}_01of01", size=5000)
    settings.STORAGE_BUDGET_BYTES = 10_001

    found = usage.collect()
    assert (found.files, found.bytes, found.percent, found.warning) == (2, 8000, 80.0, "")
    assert {(s.kind, s.tier, s.age, s.bytes) for s in found.shares} == {
        ("DLTINS", "local", "0-7 days", 3000),
        ("FULINS", "local", "over 30 days", 5000),
    }
    settings.STORAGE_BUDGET_BYTES = 10_000
    assert "80 % of STORAGE_BUDGET_BYTES=10,000" in usage.collect().warning
    out, err = io.StringIO(), io.StringIO()
    call_command("storage", stdout=out, stderr=err)
    assert "8,000 of 10,000 bytes" in out.getvalue()
    assert "manage.py clean_files" in err.getvalue()
