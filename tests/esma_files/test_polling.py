"""Progress of runs, as a client polls it."""

import pytest
from django.test import Client

from esma_files.models import Run


@pytest.mark.django_db
@pytest.mark.usefixtures("anonymous_reading")
def test_a_run_is_polled_by_its_etag(client: Client) -> None:
    run = Run.objects.create(kind=Run.Kind.SYNC, state=Run.State.RUNNING)
    address = f"/api/v1/runs/{run.pk}/"
    first = client.get(address)
    etag = first.headers["ETag"]
    unchanged = client.get(address, headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE)
    changed = client.get(address, headers={"if-none-match": etag})
    assert (changed.status_code, changed.json()["state"]) == (200, "done")
