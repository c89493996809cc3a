"""Notes and tags about instruments, venues and entities: who added them and when, and searched."""

import pytest
from django.test import Client

from audit.models import Event
from curation.models import Note, Tag
from tests.accounts.clients import client_of_new_user, make_user
from tests.curation.test_admin import sign_in
from tests.curation.test_problems import make_venue, record
from tests.instruments.listings.merging import VOLVO, Write, full, load

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loaded(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA"))
    make_venue("XSTO")


@pytest.mark.usefixtures("loaded")
def test_notes_are_added_searched_and_deleted_by_the_api() -> None:
    ann, bob = client_of_new_user("ann", "analyst"), client_of_new_user("bob", "analyst")
    carl, vera = client_of_new_user("carl", "curator"), client_of_new_user("vera")
    body = {"subject": "instrument", "code": VOLVO.lower(), "text": "Wrote to the venue"}

    added = ann("post", "/notes/", body)

    assert added.status_code == 201, added.content
    assert (added.json()["code"], added.json()["created_by"]) == (VOLVO, "ann")
    assert Event.objects.get(action="note.added").actor == "ann"
    assert ann("get", "/notes/", {"q": "THE VENUE"}).json()["pagination"]["total"] == 1
    assert vera("get", "/notes/", {"code": VOLVO}).json()["results"][0]["created_by"] is None
    assert ann("get", "/notes/", {"q": "nothing"}).json()["results"] == []
    assert vera("post", "/notes/", body).status_code == 403
    path = f"/notes/{added.json()['number']}/"
    assert bob("delete", path).status_code == 403
    assert carl("delete", path).status_code == 204
    assert carl("delete", path).status_code == 404
    assert Event.objects.get(action="note.deleted").old["text"] == "Wrote to the venue"  # type: ignore[index]


@pytest.mark.usefixtures("loaded")
def test_a_tag_is_once_at_each_code() -> None:
    ann = client_of_new_user("ann", "analyst")
    body = {"subject": "venue", "code": "XSTO", "name": "To-Check"}

    assert ann("post", "/tags/", body).json()["name"] == "to-check"

    assert ann("post", "/tags/", body).status_code == 409
    assert ann("post", "/tags/", {**body, "name": "to check"}).status_code == 400
    assert ann("post", "/tags/", {**body, "code": "XXXX"}).status_code == 404
    assert ann("post", "/tags/", {**body, "subject": "entity"}).status_code == 404
    assert ann("get", "/tags/", {"name": "to-check"}).json()["results"][0]["code"] == "XSTO"


@pytest.mark.usefixtures("loaded")
def test_notes_and_tags_are_added_on_a_page() -> None:
    client = sign_in("ann", "analyst")
    address = f"/notes/instrument/{VOLVO}/"
    assert address in client.get(f"/instruments/{VOLVO}/").content.decode()

    client.post(address, {"text": "Wrote to the venue"})
    client.post(address, {"name": "asked"})
    refused = client.post(address, {"name": "a b"})
    too_long = client.post(address, {"text": "A long story. " * 200}).content.decode()

    assert refused.status_code == 400
    content = refused.content.decode()
    assert 'value="a b" aria-invalid="true" aria-describedby="name_error"' in content
    assert 'id="name_error" role="alert">&#x27;a b&#x27; is not a tag' in content
    assert "A long story. A long story." in too_long
    assert 'id="text_error" role="alert">At most 2,000 letters' in too_long
    page = client.get(address).content.decode()
    assert "Wrote to the venue" in page
    assert page.count("<details><summary>Delete") == 2
    assert "?tag=asked" in page
    assert VOLVO in client.get("/notes/", {"tag": "asked"}).content.decode()
    assert "Wrote to" in client.get("/notes/", {"q": f"venue {VOLVO}"}).content.decode()
    assert client.get("/notes/instrument/SE0000000000/").status_code == 404
    viewer = sign_in("vera", "viewer")
    assert viewer.post(address, {"text": "No"}).status_code == 403
    client.post(address, {"delete_note": Note.objects.get().pk})
    client.post(address, {"delete_tag": Tag.objects.get().pk})
    assert not Note.objects.exists()
    assert not Tag.objects.exists()
    assert Client().get(address).status_code == 302


@pytest.mark.usefixtures("loaded")
def test_pages_say_how_many_notes_and_tags_there_are(client: Client) -> None:
    client.force_login(make_user("ann", "analyst"))
    link = f'<a href="/notes/instrument/{VOLVO}/">Notes'
    assert f"{link}</a>" in client.get(f"/instruments/{VOLVO}/").content.decode()
    Note.objects.create(subject="instrument", code=VOLVO, text="Wrong day", created_by="ann")
    Tag.objects.create(subject="instrument", code=VOLVO, name="wrong-day", created_by="ann")
    Note.objects.create(subject="venue", code="XSTO", text="Renamed", created_by="ann")

    assert f"{link} (2)</a>" in client.get(f"/instruments/{VOLVO}/").content.decode()
    assert ">Notes (1)</a>" in client.get("/venues/XSTO/").content.decode()


@pytest.mark.usefixtures("loaded")
def test_curators_search_and_delete_notes_in_the_admin() -> None:
    client_of_new_user("ann", "analyst")(
        "post", "/notes/", {"subject": "instrument", "code": VOLVO, "text": "Wrote to the venue"}
    )
    carl = sign_in("carl")
    number = Note.objects.get().pk

    assert "Wrote to" in carl.get("/admin/curation/note/", {"q": "venue"}).content.decode()
    carl.post(f"/admin/curation/note/{number}/delete/", {"post": "yes"})

    assert not Note.objects.exists()
    assert Event.objects.get(action="note.deleted").actor == "carl"
