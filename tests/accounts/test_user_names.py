"""User names of others are shown to users who may view users, and to nobody else."""

import pytest
from django.test import Client

from esma_files import queue
from esma_files.models import Run
from tests.accounts.clients import ApiClient, client_of_new_user, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


@pytest.fixture
def run() -> Run:
    return queue.request_run(Run.Kind.CLEAN, requested_by="carla")


@pytest.mark.parametrize("role", ["anonymous", "viewer", "curator", "admin", "carla"])
def test_the_requester_of_a_run_is_shown_to_admins_and_the_requester(run: Run, role: str) -> None:
    if role == "anonymous":
        client = ApiClient()
    else:
        client = client_of_new_user(role, "curator" if role == "carla" else role)
    expected = "carla" if role in ("admin", "carla") else None

    [row] = client("get", "/runs/").json()["results"]
    assert row["requested_by"] == expected
    assert client("get", f"/runs/{run.pk}/").json()["requested_by"] == expected
    filtered = client("get", "/runs/", {"requested_by": "carla"}).json()
    assert filtered["pagination"]["total"] == (1 if expected else 0)


@pytest.mark.parametrize("role", ["curator", "admin"])
def test_the_admin_shows_the_requester_of_a_run_to_admins(
    run: Run, role: str, client: Client
) -> None:
    client.force_login(make_user("ada", role))

    for path in ("/admin/esma_files/run/", f"/admin/esma_files/run/{run.pk}/change/"):
        page = client.get(path)
        assert page.status_code == 200
        assert ("carla" in page.content.decode()) == (role == "admin")
