"""Values in the addresses of pages that are not valid: nothing is shown that looks like the answer."""

import pytest
from django.test import Client

from instruments.models import Instrument
from tests import demo_files

SHARE = f"/instruments/{demo_files.SHARE}/"
DAY = "2021-13-45"
NOT_VALID = {
    f"{SHARE}?as_of={DAY}": f"'{DAY}' is not a day as",
    f"{SHARE}?known_on={DAY}": f"'{DAY}' is not a day as",
    f"{SHARE}?on={DAY}": f"'{DAY}' is not a day as",
    f"{SHARE}?register=EU": "'EU' is not a valid choice. Choose one of: ESMA, FCA.",
    f"{SHARE}dossier/?on={DAY}": f"'{DAY}' is not a day as",
    f"{SHARE}transparency/?on={DAY}": f"'{DAY}' is not a day as",
    f"{SHARE}transparency/?register=EU": "'EU' is not a valid choice",
    f"{SHARE}history/?page=two": "'two' is not the number of a page",
    f"/entities/{demo_files.ISSUER}/?on={DAY}": f"'{DAY}' is not a day as",
    "/files/calendar/?month=2021-13": "'2021-13' is not a month as",
    "/files/calendar/?dataset=firds": "'firds' is not a valid choice",
    f"/files/?day={DAY}": f"'{DAY}' is not a day as",
    "/files/?page=two": "'two' is not the number of a page",
    f"/files/runs/?since={DAY}": f"'{DAY}' is not a day as",
    f"/reconciliations/?published_from={DAY}": f"'{DAY}' is not a day as",
    "/venues/?listed=maybe": "'maybe' is not",
    "/problems/no_entity/?isin=FOO": "FOO: an ISIN has 12 characters, this has 3.",
    "/problems/no_entity/?register=EU": "'EU' is not a valid choice",
    "/entities/differences/?issuer=FOO": "An LEI has 20 letters and digits.",
    f"/?maturity_before={DAY}": f"'{DAY}' is not a day as",
    "/?q=nordlicht&register=EU": "'EU' is not a valid choice",
    "/cfi/?code=9": "'9' is not one to six letters",
}


@pytest.mark.usefixtures("demo", "anonymous_reading")
@pytest.mark.parametrize("address", NOT_VALID)
def test_a_value_that_is_not_valid_is_named_and_nothing_is_shown(
    client: Client, address: str
) -> None:
    name = Instrument.objects.get(pk=demo_files.SHARE).full_name

    answer = client.get(address)

    page = answer.content.decode().replace("&#x27;", "'")
    assert answer.status_code == 400
    assert NOT_VALID[address] in page
    assert name not in page
    if "cfi" not in address:
        assert "<tbody>" not in page


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_valid_values_in_either_case_and_empty_ones_are_answered(client: Client) -> None:
    for query in ("", "as_of=&known_on=&on=&register=", "as_of=2026-07-01", "register=esma"):
        assert client.get(f"{SHARE}?{query}").status_code == 200
    assert client.get("/files/?page=").status_code == 200
    assert client.get("/files/?page=999").status_code == 200
