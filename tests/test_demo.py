"""The made-up files of the demo are those that `demo_files` makes, and show what they are for."""

import pytest
from rest_framework.test import APIClient

from esma_files import gaps
from esma_files.models import EsmaFile, RejectedRecord
from instruments.models import Instrument, LegalEntity
from tests import demo_files


def test_the_files_are_those_that_the_module_makes() -> None:
    kept = {
        str(path.relative_to(demo_files.FOLDER)): path.read_bytes()
        for path in demo_files.FOLDER.rglob("*.zip")
    }

    assert kept == demo_files.make_files()


@pytest.mark.usefixtures("demo")
def test_everything_is_marked_as_made_up() -> None:
    assert Instrument.objects.count() == 9
    assert not Instrument.objects.exclude(full_name__endswith="(made up)").exists()
    assert not Instrument.objects.exclude(isin__startswith="ZZ").exists()
    assert LegalEntity.objects.count() == 5
    assert not LegalEntity.objects.exclude(legal_name__endswith="(made up)").exists()
    assert not LegalEntity.objects.exclude(lei__startswith="ZZMADEUP").exists()


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_share_has_all_that_is_known_of_an_instrument() -> None:
    client, address = APIClient(), f"/api/v1/instruments/{demo_files.SHARE}/"

    share = client.get(address, {"as_of": "2026-07-20"}).json()
    history = client.get(f"{address}history/").json()
    transparency = client.get(f"{address}transparency/", {"on": "2026-07-20"}).json()
    volume_cap = client.get(f"{address}volume-cap/").json()
    derivatives = client.get(f"{address}derivatives/").json()
    group = client.get(f"/api/v1/entities/{demo_files.ISSUER}/hierarchy/").json()

    assert share["full_name"] == "Nordlicht SE (made up)"
    assert {row["register"] for row in share["listings"]} == {"ESMA", "FCA"}
    assert len(history["results"]) == 9
    assert transparency["applies"]["liquidity"]["result"]["liquid"] is True
    assert volume_cap["results"][0]["percentage"] == "4.26"
    assert len(derivatives["results"]) == 4
    assert len(group["children"]) == 2


@pytest.mark.usefixtures("demo")
def test_there_are_a_gap_and_a_rejected_record() -> None:
    assert [str(gap) for gap in gaps.find()] == ["DLTINS of 2026-07-17 (ESMA FIRDS): missing"]
    assert RejectedRecord.objects.get().reason == "the check digit is 9, and should be 8"
    assert set(EsmaFile.objects.values_list("state", flat=True)) == {EsmaFile.State.LOADED}
