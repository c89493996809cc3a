"""Invalid settings: each stops the start with one line that names the variable and says what to do."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env
from tests.installation import ROOT, Installation

_REFERENCE = "@Microsoft.KeyVault(VaultName=kv-marketdata-prod;SecretName=secret-key)"


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        (
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            "InstrumentationKey=x",
            "copy it from the portal",
        ),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "nonsense", "copy it from the portal"),
        ("AZURE_STORAGE_ACCOUNT", "stmd.blob.core.windows.net", "name of a storage account"),
        ("AZURE_STORAGE_CONNECTION_STRING", "stmarketdata", "string of a storage account: copy"),
        ("DOWNLOAD_CATEGORIES", "D,debt", "'debt' is unknown. Choose from: A, B"),
        ("DOWNLOAD_KINDS", "FULINZ", "'FULINZ' is unknown. Choose from: FULINS"),
        ("DOWNLOAD_HOSTS", "https://firds.esma.europa.eu", "list of hosts, such as firds"),
        ("ESMA_REGISTER_URL", "https://", "address that begins with https:// or http://"),
        ("JWT_PRIVATE_KEY", "nonsense", "key in PEM format"),
        ("JWT_PRIVATE_KEY_FILE", "/nonexistent", "path of a readable file in PEM format"),
        ("LOG_LEVEL", "loud", "DEBUG or INFO or WARNING"),
        ("MIC_LIST_HOSTS", "www.iso20022.org/sites", "list of hosts"),
        ("MIC_LIST_URL", "www.iso20022.org", "address that begins with https://"),
        ("QUEUE_DIR", "/proc/queue", "the folder /proc/queue, which cannot be created"),
        ("REDIS_URL", "host:6379", "such as redis://host:6379/0"),
        ("REGISTERS", "esma_frids", "'esma_frids' is unknown. Choose from: esma_firds"),
        ("SECRET_KEY", _REFERENCE, "App Service has not resolved"),
        ("SECRET_KEY_PREVIOUS", "short", "is too weak"),
        ("SQLITE_DB_PATH", "/proc/data/x.sqlite3", "the folder /proc/data, which cannot be"),
    ],
)
def test_an_invalid_setting_stops_the_start_with_one_line(
    variable: str, value: str, advice: str, tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**Installation(tmp_path).environment, variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith(f"The configuration is not valid. {variable}")
    assert advice in process.stderr


def test_a_reference_to_a_key_vault_is_no_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has 50 characters and more, and everybody can guess it."""
    monkeypatch.setenv("SECRET_KEY", _REFERENCE)
    with pytest.raises(ImproperlyConfigured, match="Key Vault Secrets User"):
        env.read("SECRET_KEY", env.secret)


@pytest.mark.parametrize(
    "value",
    [
        "InstrumentationKey=12345678-1234-1234-1234-123456789abc",
        "InstrumentationKey=12345678-1234-1234-1234-123456789abc;IngestionEndpoint=https://x.example/;",
    ],
)
def test_connection_strings_of_the_portal_are_accepted(value: str) -> None:
    assert env.connection_string(value) == value
