"""Reading from a replica of the database that is opened read-only."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import databases
from tests.conftest import FIRDS
from tests.installation import Installation

# Run in a process of its own, as Django's tests permit no second database. The names of the replica differ
# from those of the database, so an answer shows where it was read.
_SCRIPT = """
import contextlib, json, sqlite3, sys
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.test import Client
from accounts.models import User
from instruments import replica
from instruments.models import DataSubject, DataVersion, Instrument
from monitoring.health.checks import check_replica

path = Path({path!r})

def copy():
    connections["replica"].close()
    path.unlink(missing_ok=True)
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(path)) as target:
        connection.connection.backup(target)
        for table in ("instrument", "listing"):
            target.execute(f"UPDATE instruments_{{table}} SET full_name = 'of the replica'")
        target.commit()

def read(address):
    response = Client(headers=headers).get(address)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    assert response.status_code == 200, content
    return b"of the replica" in content

ADDRESSES, headers = {addresses!r}, {{}}
call_command("load", {file!r}, verbosity=0, stdout=open("/dev/null", "w"))
results = {{"without a file": [read(ADDRESSES[-1]), check_replica().status]}}
replica._Pause.end = 0
copy()
results["other code"] = Instrument.objects.get(isin="DE000A1R07V3").full_name == "of the replica"
User.objects.create_superuser("carla", password="long enough 1")  # unknown to the replica
token = Client().post(
    "/api/v1/auth/token/", {{"username": "carla", "password": "long enough 1"}}, "application/json"
).json()["access"]
headers["authorization"] = f"Bearer {{token}}"
results["equal"] = [read(address) for address in ADDRESSES]
results["status"] = [check_replica().status]
try:
    Instrument.objects.using("replica").update(full_name="")
except OperationalError as error:
    results["write"] = str(error)
DataVersion.objects.renew(DataSubject.LISTINGS)
results["behind"] = [read(address) for address in ADDRESSES]
results["status"].append(check_replica().status)
copy()
results["caught up"] = [read(ADDRESSES[-1])]
results["status"].append(check_replica().status)
print(json.dumps(results))
"""
_ADDRESSES = [
    "/api/v1/instruments/DE000A1R07V3/",
    "/api/v1/instruments/?isin=DE000A1R07V3",
    "/api/v1/instruments/export/?isin=DE000A1R07V3",
    "/instruments/DE000A1R07V3/",
]


@pytest.mark.slow
@pytest.mark.sqlite
def test_requests_read_from_a_replica_while_it_has_the_newest_data(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "replica.sqlite3"
    environment = {
        "ANONYMOUS_READ": "true",
        "HTTPS": "false",
        "DEBUG": "true",
        "ALLOWED_HOSTS": "testserver",
    }
    installation = Installation(tmp_path, READ_REPLICA_SQLITE_PATH=str(path), **environment)
    installation.copy_database(migrated)
    file = FIRDS / "DLTINS_20210117_01of01.zip"
    script = _SCRIPT.format(path=str(path), file=str(file), addresses=_ADDRESSES)

    results = json.loads(installation.run("shell", "-v", "0", "-c", script).splitlines()[-1])

    assert results["without a file"] == [False, "warning"]
    assert results["equal"] == [True] * len(_ADDRESSES)
    assert results["other code"] is False
    assert "readonly" in results["write"]
    assert results["behind"] == [False] * len(_ADDRESSES)
    assert results["caught up"] == [True]
    assert results["status"] == ["ok", "warning", "ok"]


def test_replica_on_azure_is_opened_for_reading_only(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "DATABASE_TYPE": "azure_sql",
        "AZURE_SQL_SERVER": "my.database.windows.net",
        "AZURE_SQL_DATABASE": "marketdata",
        "AZURE_SQL_AUTH_METHOD": "sql",
        "AZURE_SQL_USERNAME": "reader",
        "AZURE_SQL_PASSWORD": "secret",
        "READ_REPLICA_SERVER": "my.database.windows.net",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    options: Any = databases.replica_from_environment()["replica"]

    assert options["NAME"] == "marketdata"
    assert options["OPTIONS"]["extra_params"].split(";")[-1] == "ApplicationIntent=ReadOnly"
    monkeypatch.setenv("READ_REPLICA_SERVER", "my server")
    with pytest.raises(ImproperlyConfigured, match="not a plain host name"):
        databases.replica_from_environment()
    monkeypatch.delenv("READ_REPLICA_SERVER")
    assert databases.replica_from_environment() == {}
