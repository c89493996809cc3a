"""The page of enrichment: coverage, and a request for a list that is pasted or uploaded."""

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files.models import Run
from instruments import tasks
from tests.instruments.figis.conftest import VOLVO, instruments
from tests.openfigi import IBM

__all__ = ["instruments"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("instruments", "anonymous_reading"),
]
PAGE = "/enrichment/"


def sign_in(client: Client, role: str) -> None:
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)


def test_the_coverage_is_shown_to_every_reader(client: Client) -> None:
    assert "has not been counted yet" in client.get(PAGE).content.decode()
    tasks.recount_coverage()

    page = client.get(PAGE).content.decode()

    assert "FIGI (OpenFIGI)" in page
    assert "0.0 %" in page
    assert "Ask the services" not in page
    assert client.post(PAGE, {"isins": IBM}).status_code == 403


def test_a_list_is_pasted_or_uploaded(client: Client) -> None:
    sign_in(client, "curator")
    file = SimpleUploadedFile("list.csv", f"ISIN;Name\n{VOLVO};Volvo\n".encode())

    pasted = client.post(PAGE, {"isins": f"{IBM}, {VOLVO}"}, follow=True).content.decode()
    client.post(PAGE, {"file": file})

    lists = Run.objects.filter(kind="enrich").order_by("pk").values_list("arguments", flat=True)
    assert [set(arguments["isins"].split()) for arguments in lists] == [{IBM, VOLVO}, {VOLVO}]
    assert "is requested for 2 instruments" in pasted
    assert Event.objects.filter(action="instruments.enrich").count() == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "There is no instrument."),
        ({"isins": f"{IBM}\nUS0378331005"}, "No loaded file has US0378331005."),
        ({"isins": "SE0000115447"}, "should be 6"),
        ({"file": SimpleUploadedFile("a.xlsx", b"\xff\xfe")}, "a.xlsx: it is not text in UTF-8"),
    ],
)
def test_a_wrong_list_is_refused_with_the_reason(
    client: Client, body: dict[str, str], message: str
) -> None:
    sign_in(client, "curator")

    response = client.post(PAGE, body)

    assert response.status_code == 400
    assert message in response.content.decode()
    assert not Run.objects.filter(kind="enrich").exists()
