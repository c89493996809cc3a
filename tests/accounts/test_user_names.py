"""User names of others are shown to users who may view users, and to nobody else."""

from typing import Any

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse
from drf_spectacular.generators import SchemaGenerator

from esma_files import queue
from esma_files.models import Run
from esma_files.urls import urlpatterns as file_pages
from instruments.listings import scoping
from instruments.models import Correction, Register, Scope
from instruments.urls import urlpatterns as instrument_pages
from tests.accounts.clients import ApiClient, client_of_new_user, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]
DAY = "2026-01-01 00:00:00+00:00"


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


@pytest.mark.parametrize("lookup", ["requested_by", "requested_by__startswith", "problem__regex"])
def test_the_admin_has_no_filter_by_what_it_hides(run: Run, lookup: str, client: Client) -> None:
    client.force_login(make_user("ada", "curator"))

    assert client.get("/admin/esma_files/run/", {lookup: "ca"}).status_code == 400
    shown = {"state__exact": "queued", "file__kind__exact": "FULINS", "requested_at__gte": DAY}
    assert client.get("/admin/esma_files/run/", shown).status_code == 200


@pytest.mark.parametrize("role", ["curator", "admin"])
def test_the_admin_offers_the_owners_of_api_keys_to_those_who_see_all_keys(
    role: str, client: Client
) -> None:
    make_user("carla")
    client.force_login(make_user("ada", role))

    page = client.get("/admin/accounts/apikey/").content.decode()

    assert ("carla" in page) == (role == "admin")


@pytest.mark.parametrize("role", ["curator", "admin"])
def test_histories_in_the_admin_have_the_names_of_others_for_admins(
    role: str, client: Client
) -> None:
    carla = make_user("carla", "curator")
    client.force_login(carla)
    scope = {"register": "ESMA", "categories": "E", "authorities": "", "venues": "", "isins": ""}
    client.post("/admin/instruments/scope/add/", scope)
    address = f"/admin/instruments/scope/{Scope.objects.get().pk}/history/"
    assert "carla" in client.get(address).content.decode()
    client.force_login(make_user("ada", role))

    page = client.get(address).content.decode()

    assert "Added" in page
    assert ("carla" in page) == (role == "admin")


@pytest.fixture
def work_of_carla(run: Run) -> list[Any]:
    """A row of each table that names the user who asked for something."""
    scope = scoping.change(Register.ESMA, {"categories": ["E"]}, by="carla")
    correction = Correction.objects.create(
        register="ESMA",
        isin="SE0000115446",
        field="full_name",
        value="Volvo",
        reason="It is misspelt.",
        proposed_by="carla",
        approved_by="carla",
    )
    return [run, scope, correction]


def addresses_without_keys() -> list[str]:
    """The addresses of all pages, and of all that the API answers to GET, that need no key."""
    generator: Any = SchemaGenerator  # untyped
    paths = generator().get_schema(request=None, public=True)["paths"]
    addresses = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    for pattern in (*file_pages, *instrument_pages):
        try:
            addresses.append(reverse(str(pattern.name)))
        except NoReverseMatch:
            continue  # a page of a row, which lists show
    return addresses


@pytest.mark.slow
@pytest.mark.parametrize("role", ["anonymous", "curator"])
def test_no_address_shows_the_names_of_others(
    work_of_carla: list[Any], role: str, client: Client
) -> None:
    run, scope, correction = work_of_carla
    rows = [
        f"/api/v1/runs/{run.pk}/",
        f"/api/v1/corrections/{correction.pk}/",
        f"/api/v1/scope/{scope.register}/",
    ]
    addresses = [*addresses_without_keys(), *rows]
    if role == "curator":
        client.force_login(make_user("ada", role))
        for row in work_of_carla:
            meta = row._meta
            addresses += [
                f"/admin/{meta.app_label}/{meta.model_name}/",
                f"/admin/{meta.app_label}/{meta.model_name}/{row.pk}/change/",
            ]

    assert len(addresses) > 40
    for address in addresses:
        response: Any = client.get(address)
        assert response.status_code not in (429, 500), address
        content = b"".join(response)
        assert b"carla" not in content, address
    chief = client_of_new_user("chief", "admin").client
    assert all(b"carla" in chief.get(address).content for address in rows)
