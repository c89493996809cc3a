"""A full disk, a locked database and a killed Redis: clear errors, and recovery without help."""

import contextlib
import datetime as dt
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.test import Client

from monitoring.health.checks import check_cache
from tests import servers
from tests.benchmarks.generator import grow
from tests.conftest import DATA, FIRDS
from tests.installation import ROOT, Installation

STATE = "SELECT count(*) FROM esma_files_esmafile WHERE state = '{}'"


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path) -> Installation:
    return Installation(tmp_path, RETRY_SECONDS="1").copy_database(migrated_database)


@pytest.mark.slow
def test_load_without_space_for_staging_says_so_and_is_repeated(
    installation: Installation, tmp_path: Path
) -> None:
    """No file may become larger than the limit, as on a full disk: staging needs more than the tables."""
    sources = sorted((DATA / "firds").glob("FULINS_E_*.zip"))
    [path] = grow(sources, records=20_000, folder=tmp_path / "grown", day=dt.date(2026, 1, 3))
    limit_of_kilobytes = 'ulimit -f 4000; exec "$@"'
    command = (sys.executable, "manage.py", "load", str(path))
    limited = subprocess.run(
        ["bash", "-c", limit_of_kilobytes, "-", *command],
        cwd=ROOT,
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert limited.returncode == 1
    assert "cannot be staged in" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert installation.counts() == (0, 0)
    assert installation.read_number(STATE.format("downloaded")) == 1, (
        "it waits for the next attempt"
    )
    assert not list(installation.staging.rglob("*.sqlite3")), "nothing is left on the disk"

    installation.run("load", path)

    assert installation.read_number(STATE.format("loaded")) == 1
    assert installation.counts()[0] == 20_000


@pytest.mark.slow
def test_load_waits_for_a_locked_database(installation: Installation) -> None:
    path = FIRDS / "FULINS_C_20250830_01of01.zip"
    with contextlib.closing(sqlite3.connect(installation.database, isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        load = installation.start("load", path)
        with contextlib.suppress(subprocess.TimeoutExpired):
            load.wait(timeout=8)
        assert load.poll() is None, "it waits"
        locked.execute("ROLLBACK")
    _, errors = load.communicate(timeout=60)

    assert load.returncode == 0, errors
    assert installation.read_number(STATE.format("loaded")) == 1


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.usefixtures("anonymous_reading")
def test_requests_are_answered_while_redis_is_killed(
    client: Client, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    with servers.restartable_redis() as redis:
        settings.RATELIMIT_ENABLE = True
        options = {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2}
        settings.CACHES = {
            **settings.CACHES,
            "counts": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": redis.address,
                "OPTIONS": options,
            },
        }

        def wait_for_redis() -> None:
            for _ in range(100):
                with contextlib.suppress(Exception):
                    caches["counts"].get("key")
                    return
                time.sleep(0.1)

        wait_for_redis()
        assert client.get("/api/v1/venues/").headers["RateLimit-Limit"]
        redis.kill()

        response = client.get("/api/v1/venues/")

        assert response.status_code == 200
        assert "RateLimit-Limit" not in response.headers
        assert "Requests are not counted" in caplog.text
        with pytest.raises(Exception, match=r"[Cc]onnect"):
            check_cache()
        redis.start_if_ended()
        wait_for_redis()
        assert client.get("/api/v1/venues/").headers["RateLimit-Limit"]
        assert check_cache().status == "ok"


@pytest.mark.django_db(transaction=True)
def test_reading_goes_on_while_the_database_is_locked(
    client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = True
    path = settings.DATABASES["default"]["NAME"]
    is_locked, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as locked:
            locked.execute("BEGIN IMMEDIATE")
            is_locked.set()
            is_over.wait(timeout=30)
            locked.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert is_locked.wait(timeout=10)
        assert client.get("/api/v1/venues/").status_code == 200
    finally:
        is_over.set()
        thread.join()
