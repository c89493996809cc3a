"""A register on loopback that the settings point to."""

from collections.abc import Iterator

import pytest
import stamina
from django.conf import LazySettings

from tests import register
from tests.register import FakeRegister


@pytest.fixture
def esma(settings: LazySettings) -> Iterator[FakeRegister]:
    with register.running() as running:
        settings.ESMA_REGISTER_URL = f"{running.url}/solr"
        settings.FCA_REGISTER_URL = f"{running.url}/fca"
        settings.FCA_FITRS_REGISTER_URL = f"{running.url}/fca_fitrs"
        settings.DOWNLOAD_HOSTS = [running.url]
        settings.HTTP_TIMEOUT_SECONDS = 2
        settings.HTTP_ATTEMPTS = 3
        yield running


@pytest.fixture(autouse=True)
def without_pauses(request: pytest.FixtureRequest) -> Iterator[None]:
    """Retries follow at once; mark a test `with_pauses` where the pause is what it is about."""
    if "with_pauses" in request.keywords:
        yield
        return
    stamina.set_testing(True, attempts=3)
    yield
    stamina.set_testing(False)
