"""Blob Storage without a key: the managed identity of the service gets tokens, and signs links.

Azurite by HTTPS, which takes tokens of Entra ID, and a stand-in for the address of App Service where a
managed identity gets them. Azurite issues the keys that sign links, and checks the signatures.
"""

import base64
import contextlib
import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import trustme
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from django.conf import LazySettings
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from accounts.models import User
from esma_files.storage.blob import BlobStorage
from instruments import pipeline
from instruments.models import Listing
from tests import servers
from tests.conftest import FIRDS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SOURCE = FIRDS / "FULINS_C_20250830_01of01.zip"
OBJECT_ID = "00000000-0000-4000-8000-000000000002"
IDENTITY_HEADER = "header-of-the-identity"


def make_token(audience: str) -> str:
    """Return a token in the form of Entra ID's, without a valid signature."""
    now = int(time.time())
    tenant = "00000000-0000-4000-8000-000000000001"
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now,
        "nbf": now - 60,
        "exp": now + 3600,
        "oid": OBJECT_ID,
        "tid": tenant,
    }
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()


@contextlib.contextmanager
def running_identity() -> Iterator[str]:
    """The address of an App Service at which its managed identity gets tokens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if self.headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER:
                self.send_error(400)
                return
            token = make_token(query["resource"][0])
            answer = {
                "access_token": token,
                "expires_on": str(int(time.time()) + 3600),
                "token_type": "Bearer",
            }
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/identity"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def by_identity(
    tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BlobStorage]:
    """Files go to an account for which the service has no key."""
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    folder = tmp_path / "azurite"
    folder.mkdir()
    with (
        running_identity() as identity,
        servers.azurite(folder, authority=authority) as connection_string,
    ):
        for name, value in {
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": IDENTITY_HEADER,
            "REQUESTS_CA_BUNDLE": str(ca_file),
        }.items():
            monkeypatch.setenv(name, value)
        parts = dict(part.split("=", 1) for part in connection_string.strip(";").split(";"))
        backend = {
            "BACKEND": "esma_files.storage.blob.BlobStorage",
            "OPTIONS": {"account": parts["AccountName"]},
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend, "blob": backend}
        settings.FILES_LOCATION = "blob"
        credential = DefaultAzureCredential()
        for alias in ("default", "blob"):
            storage = storages[alias]
            assert isinstance(storage, BlobStorage)
            # Azurite's address is not that of an account in Azure.
            container = storage.container("firds")
            container._service_client = BlobServiceClient(
                parts["BlobEndpoint"], credential=credential
            )
        blob = storages["blob"]
        assert isinstance(blob, BlobStorage)
        yield blob


def test_file_is_stored_loaded_and_linked_to_without_a_key(
    by_identity: BlobStorage, client: Client
) -> None:
    [loaded] = pipeline.load(pipeline.register_files([SOURCE]))
    assert loaded.error is None
    assert Listing.objects.count() == 5
    client.force_login(User.objects.create_superuser("curator", password="x"))

    response = client.get(f"/api/v1/files/{loaded.file.pk}/content/")

    assert response.status_code == 302
    link = response.headers["Location"]
    signed = dict(parse_qsl(urlsplit(link).query))
    assert signed["skoid"] == OBJECT_ID, "signed with a key of the identity"
    assert (signed["sr"], signed["sp"]) == ("b", "r"), "one blob, to be read"
    expiry = dt.datetime.fromisoformat(signed["se"])
    assert dt.timedelta(0) < expiry - timezone.now() <= dt.timedelta(minutes=5)
    assert SOURCE.stem in signed["rscd"]
    downloaded = requests.get(link, timeout=30)  # without a token; the CA is in the environment
    assert downloaded.status_code == 200, downloaded.text
    assert downloaded.content == SOURCE.read_bytes()
    forged = requests.get(link.replace("sp=r", "sp=rw"), timeout=30)
    assert forged.status_code == 403
