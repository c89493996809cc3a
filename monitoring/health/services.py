"""Checks of services outside this installation. Tasks run them; requests read their recorded results.

Each service is asked one small question. A failure never affects readiness.
"""

import dataclasses
import datetime as dt
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from esma_files.datasets import Dataset
from marketdata.common import http
from marketdata.common.errors import MarketDataError
from monitoring.health.checks import Status

# How old a recorded result may be before it counts as unknown. The schedule checks every ten minutes.
OUTDATED_AFTER = dt.timedelta(minutes=30)


@dataclasses.dataclass(frozen=True)
class Service:
    """An outside service, and an address at which it answers a small question."""

    name: str
    address: str
    parameters: dict[str, str | int]


def services() -> list[Service]:
    """Return the services of these settings: OpenFIGI, GLEIF, and the registers that are followed."""
    listed = [
        Service("openfigi", f"{settings.OPENFIGI_URL}/v3/mapping/values/idType", {}),
        Service("gleif", f"{settings.GLEIF_URL}/api/v1/lei-records", {"page[size]": 1}),
    ]
    registers = {
        Dataset(name).publication.url_setting: Dataset(name)
        for name in settings.REGISTERS
        if Dataset(name).authority != "GLEIF"  # whose API is asked above
    }
    for setting, dataset in registers.items():
        base, publication = getattr(settings, setting), dataset.publication
        day, today = publication.day_field, timezone.localdate()
        if publication.core:
            days = f"{day}:[{today}T00:00:00Z TO {today}T23:59:59Z]"
            question: dict[str, str | int] = {"q": "*", "fq": days, "wt": "json", "start": 0}
            address = f"{base}/{publication.core}/select"
            listed.append(Service("esma_register", address, {**question, "rows": 1}))
        else:
            question = {"q": f"({day}:[{today} TO {today}])", "from": 0, "size": 1}
            # The FCA's datasets have an address each.
            name = "fca_register" if dataset is Dataset.FCA_FIRDS else f"{dataset}_register"
            listed.append(Service(name, base, question))
    return listed


def names() -> list[str]:
    return [service.name for service in services()]


def check(service: Service) -> tuple[str, str, float]:
    """Ask a service. Return the status, the reason and the milliseconds until the answer began."""
    url = urlsplit(service.address)
    # As in DOWNLOAD_HOSTS: the scheme is part of the permission where it is not https.
    host = url.netloc if url.scheme == "https" else f"{url.scheme}://{url.netloc}"
    session, start = http.new_session(), time.perf_counter()
    try:
        with http.answer(session, service.address, hosts=[host], params=service.parameters):
            milliseconds = (time.perf_counter() - start) * 1000
    except MarketDataError as error:
        return Status.FAILED, str(error), (time.perf_counter() - start) * 1000
    finally:
        session.close()
    return Status.OK, "", milliseconds
