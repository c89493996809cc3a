"""Secrets from the environment and from a key vault: read, refreshed, and never shown."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from marketdata.settings import env
from marketdata.settings.secrets import ROTATED, KeyVault, use_key_vault
from monitoring import secret_rotation
from tests import key_vault
from tests.installation import ROOT, Installation
from tests.key_vault import KeyVaultServer


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultServer]:
    """A key vault whose secrets differ from those of the environment."""
    with key_vault.running(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        # The reader is one for the whole process.
        monkeypatch.setattr(env, "read_secret", env.read_secret)
        monkeypatch.setattr(env, "describe_missing_secret", env.describe_missing_secret)
        yield server


def open_vault(*, is_production: bool = True) -> KeyVault:
    opened = use_key_vault(is_production=is_production)
    assert opened is not None
    return opened


def test_without_an_address_secrets_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AZURE_KEY_VAULT_URL", raising=False)
    monkeypatch.setenv("AZURE_SQL_PASSWORD", "from the environment")

    assert use_key_vault(is_production=True) is None
    assert env.read("AZURE_SQL_PASSWORD", str) == "from the environment"


def test_a_secret_is_read_once(vault: KeyVaultServer) -> None:
    vault.secrets["AZURE-SQL-PASSWORD"] = "from the vault"
    open_vault()

    assert env.read("AZURE_SQL_PASSWORD", str) == "from the vault"
    assert env.read("AZURE_SQL_PASSWORD", str) == "from the vault"
    assert vault.requests == ["AZURE-SQL-PASSWORD"]


def test_other_variables_stay_in_the_environment(
    vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SQL_SERVER", "example.database.windows.net")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "reaches the vault")
    open_vault()

    assert env.read("AZURE_SQL_SERVER", str) == "example.database.windows.net"
    assert env.read("AZURE_CLIENT_SECRET", str) == "reaches the vault"
    assert vault.requests == []


def test_a_missing_secret_is_named(vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    open_vault()

    with pytest.raises(ImproperlyConfigured, match=r"secret SECRET-KEY in the key vault 127\."):
        env.read("SECRET_KEY", env.secret)
    assert env.read("REDIS_URL", str, "") == "", "this one is optional"


def test_a_secret_in_the_environment_is_refused_in_production(
    vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SQL_PASSWORD", "left behind")
    open_vault(is_production=True)

    with pytest.raises(ImproperlyConfigured, match="no secret AZURE-SQL-PASSWORD") as error:
        env.read("AZURE_SQL_PASSWORD", str)
    assert "left behind" not in str(error.value)


def test_the_environment_is_the_fallback_outside_production(
    vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SQL_PASSWORD", "mine")
    open_vault(is_production=False)

    assert env.read("AZURE_SQL_PASSWORD", str) == "mine"


def test_a_refusal_names_the_vault_and_no_secret(vault: KeyVaultServer) -> None:
    vault.status = 403
    open_vault()

    with pytest.raises(ImproperlyConfigured, match=r"127\.0\.0\.1.*HTTP 403") as error:
        env.read("SECRET_KEY", env.secret)
    assert key_vault.TOKEN not in str(error.value)


@pytest.mark.slow
def test_a_vault_with_a_certificate_that_nobody_trusts_is_refused(
    vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    vault.secrets["SECRET-KEY"] = secrets.token_hex(32)
    open_vault()

    with pytest.raises(ImproperlyConfigured, match="could not be read from the key vault"):
        env.read("SECRET_KEY", env.secret)
    assert vault.requests == []


def test_a_vault_by_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY_VAULT_URL", "http://example.vault.azure.net")

    with pytest.raises(ImproperlyConfigured, match="https://"):
        use_key_vault(is_production=True)


class TestRotation:
    @pytest.fixture
    def settings_with_vault(
        self, vault: KeyVaultServer, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
    ) -> LazySettings:
        """Settings whose Entra secret and database password came from the vault, due for a refresh."""
        vault.secrets |= {
            "AZURE-SQL-PASSWORD": "old password",
            "ENTRA-CLIENT-SECRET": "old secret",
            "OPENFIGI-API-KEY": "old key",
            "SMTP-PASSWORD": "old word",
            "SECRET-KEY": "fixed",
        }
        settings.KEY_VAULT = open_vault()
        settings.ENTRA = {"secret": env.read("ENTRA_CLIENT_SECRET", str)}
        password = env.read("AZURE_SQL_PASSWORD", str)
        server = {"ENGINE": "marketdata.azure_sql", "PASSWORD": password}
        settings.NAMED_DATABASES = {"azure_sql": server}
        settings.OPENFIGI_API_KEY = env.read("OPENFIGI_API_KEY", str)
        settings.EMAIL_HOST_PASSWORD = env.read("SMTP_PASSWORD", str)
        env.read("SECRET_KEY", str)
        settings.KEY_VAULT_REFRESH_SECONDS = 0
        vault.requests.clear()
        return settings

    def test_changed_secrets_are_used(
        self,
        vault: KeyVaultServer,
        settings_with_vault: LazySettings,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        vault.secrets |= {
            "AZURE-SQL-PASSWORD": "new password",
            "ENTRA-CLIENT-SECRET": "new secret",
            "OPENFIGI-API-KEY": "new key",
            "SMTP-PASSWORD": "new word",
            "SECRET-KEY": "changed",
        }

        secret_rotation.rotate_if_due()

        assert settings_with_vault.ENTRA["secret"] == "new secret"
        assert settings_with_vault.NAMED_DATABASES["azure_sql"]["PASSWORD"] == "new password"
        assert settings_with_vault.OPENFIGI_API_KEY == "new key"
        assert settings_with_vault.EMAIL_HOST_PASSWORD == "new word"
        assert set(vault.requests) == {name.replace("_", "-") for name in ROTATED}
        assert "AZURE_SQL_PASSWORD has changed" in caplog.text
        assert "new" not in caplog.text.replace("now", "")

    def test_the_default_database_connects_with_the_new_password(
        self,
        vault: KeyVaultServer,
        settings_with_vault: LazySettings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        default = connections.settings["default"]
        monkeypatch.setitem(default, "ENGINE", "marketdata.azure_sql")
        monkeypatch.setitem(default, "PASSWORD", "old password")
        vault.secrets["AZURE-SQL-PASSWORD"] = "new password"

        secret_rotation.rotate_if_due()

        assert connections["default"].settings_dict["PASSWORD"] == "new password"

    def test_nothing_is_asked_before_it_is_due(
        self, vault: KeyVaultServer, settings_with_vault: LazySettings
    ) -> None:
        settings_with_vault.KEY_VAULT_REFRESH_SECONDS = 3600

        secret_rotation.rotate_if_due()

        assert vault.requests == []

    def test_values_stay_when_the_vault_cannot_be_read(
        self,
        vault: KeyVaultServer,
        settings_with_vault: LazySettings,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        vault.status = 403

        secret_rotation.rotate_if_due()

        assert settings_with_vault.ENTRA["secret"] == "old secret"
        assert "could not be refreshed" in caplog.text


CANARY = "canary-of-a-secret"
SECRET_VALUES = {
    "SECRET_KEY": f"{CANARY}-{secrets.token_urlsafe(48)}",
    "AZURE_SQL_PASSWORD": f"{CANARY}-password",
    "AZURE_STORAGE_KEY": f"{CANARY}-storage",
    "ENTRA_CLIENT_SECRET": f"{CANARY}-entra",
    "OPENFIGI_API_KEY": f"{CANARY}-openfigi",
    "SMTP_PASSWORD": f"{CANARY}-mail",
    "AZURE_STORAGE_CONNECTION_STRING": "",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "",
    "JWT_PRIVATE_KEY": "",
    "REDIS_URL": f"redis://:{CANARY}@127.0.0.1:1/0",
}
OTHER_SETTINGS = {
    "ENV_FILE": os.devnull,
    "DATABASE_TYPE": "azure_sql",
    "AZURE_SQL_SERVER": "127.0.0.1",
    "AZURE_SQL_PORT": "1",
    "AZURE_SQL_DATABASE": "marketdata",
    "AZURE_SQL_USERNAME": "reader",
    "AZURE_SQL_RETRY_SECONDS": "1",
    "AZURE_STORAGE_ACCOUNT": "example",
    "ENTRA_TENANT": "tenant",
    "ENTRA_AUDIENCE": "audience",
    "ENTRA_CLIENT_ID": "client",
}


def manage(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name not in SECRET_VALUES}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**kept, **OTHER_SETTINGS, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("diffsettings", "--all"), id="diffsettings"),
        pytest.param(("check", "--deploy"), id="check", marks=pytest.mark.slow),
        pytest.param(("health", "--ready"), id="health", marks=pytest.mark.slow),
        pytest.param(("database", "check"), id="database", marks=pytest.mark.slow),
        pytest.param(("migrate",), id="migrate", marks=pytest.mark.slow),
    ],
)
def test_commands_show_no_secret(command: tuple[str, ...]) -> None:
    """With a database and a Redis that nobody can reach: errors are shown and logged too."""
    result = manage(*command, **SECRET_VALUES)

    assert result.stdout + result.stderr
    assert CANARY not in result.stdout
    assert CANARY not in result.stderr


# Asks for all pages of the admin, of health and of errors, as a superuser, and logs every secret by mistake.
ASK_FOR_PAGES = """
import logging, pprint, django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from accounts.models import User
from marketdata.settings import env
from tests.accounts.test_access_rules import ADDRESSES
call_command("collectstatic", interactive=False, verbosity=0)
client = Client(raise_request_exception=False)
client.force_login(User.objects.create_superuser("root", password="long enough for a test"))
paths = ["/" + route for route in ADDRESSES if "<" not in route and "(" not in route]
assert len(paths) > 100 and {"/health/", "/health", "/admin/", "/metrics"} <= set(paths)
if settings.DEBUG:  # which only changes the pages of errors
    paths = ["/admin/", "/health/"]
for path in [*paths, "/no-such-page/", "/api/no-such-page/"]:
    response = client.get(path)
    print(response.status_code, path, response.headers, response.getvalue().decode("utf-8", "replace"))
def fail(execute, sql, *rest):
    raise ValueError(f"the server refused {settings.EMAIL_HOST_PASSWORD}")
from django.db import connection
with connection.execute_wrapper(fail):
    for path in ("/venues/", "/api/v1/venues/"):
        response = client.get(path)
        print(response.status_code, path, response.getvalue().decode())
for name in sorted(env.SECRETS):
    logging.getLogger("example").error("%s is %s", name, env.read(name, str, ""))
pprint.pp({name: getattr(settings, name) for name in dir(settings) if name.isupper()})
"""


@pytest.mark.slow
@pytest.mark.parametrize("debug", ["false", "true"])
def test_pages_errors_and_logs_show_no_secret(
    vault: KeyVaultServer, tmp_path: Path, migrated_database: Path, debug: str
) -> None:
    storage = f"AccountName=a;AccountKey={CANARY}-storage;BlobEndpoint=http://127.0.0.1:1/a"
    values = {**SECRET_VALUES, "AZURE_STORAGE_CONNECTION_STRING": storage, "AZURE_STORAGE_KEY": ""}
    vault.secrets |= {name.replace("_", "-"): value for name, value in values.items()}
    installation = Installation(tmp_path).copy_database(migrated_database)
    kept = {k: v for k, v in installation.environment.items() if k not in SECRET_VALUES}
    settings = {**vault.environment, "STATIC_ROOT": str(tmp_path / "static"), "DEBUG": debug}
    settings |= {"HTTPS": "false", "ALLOWED_HOSTS": "testserver"}
    result = subprocess.run(
        [sys.executable, "-c", ASK_FOR_PAGES],
        cwd=ROOT,
        env={**kept, **settings, "DJANGO_SETTINGS_MODULE": "marketdata.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stderr[-3000:]
    assert "200 /admin/ " in result.stdout
    assert "500 /venues/ " in result.stdout
    assert "SMTP_PASSWORD is ********" in result.stderr
    assert "the server refused ********" in result.stderr
    # While DEBUG, Django logs errors by a handler of its own too.
    output = result.stdout + (result.stderr if debug == "false" else "")
    assert [line for line in output.splitlines() if CANARY in line] == []


@pytest.mark.slow
def test_a_process_starts_with_the_secrets_of_the_vault(vault: KeyVaultServer) -> None:
    vault.secrets |= {name.replace("_", "-"): value for name, value in SECRET_VALUES.items()}
    code = (
        "from django.conf import settings; print(settings.DATABASES['default']['PASSWORD'] + '!')"
    )

    result = manage("shell", "-v", "0", "-c", code, **vault.environment)

    assert result.stdout.strip() == f"{SECRET_VALUES['AZURE_SQL_PASSWORD']}!"
    assert set(vault.requests) >= {name.replace("_", "-") for name in SECRET_VALUES}
    assert CANARY not in manage("diffsettings", "--all", **vault.environment).stdout


@pytest.mark.slow
def test_a_process_does_not_start_without_a_required_secret(vault: KeyVaultServer) -> None:
    vault.secrets["SECRET-KEY"] = secrets.token_hex(32)

    result = manage("check", **vault.environment)

    assert result.returncode != 0
    assert "AZURE_SQL_PASSWORD" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("value", ["weak", "https://not-a-redis"])
def test_errors_about_secrets_do_not_quote_them(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(raw: Any) -> str:
        raise ValueError(raw)

    monkeypatch.setenv("REDIS_URL", value)
    with pytest.raises(ImproperlyConfigured) as error:
        env.read("REDIS_URL", refuse)
    assert value not in str(error.value)
