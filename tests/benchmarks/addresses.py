"""The addresses that `costs.py` asks: of the API, of all pages with many searches, and of the admin."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests import demo_files
from tests.pages import PUBLIC_PAGES

# Words with many matches, with none, and misspelt ones; then filters and orders that few rows or many have.
_SEARCHES = (
    "q=bank",
    "q=call",
    "q=volkswagen",
    "q=volkswagn",
    "q=deutsche+bnak+call",
    "q=zzzzqqqq",
    "q=DE",
    "q=ESVUFR",
    "q=XETR",
    "q=bank&page=50",
    "category=D",
    "category=D&currency=EUR&status=active",
    "category=R&effective_status=active",
    "effective_status=matured",
    "cfi=ES",
    "cfi=***X",
    "currency=XXX",
    "has_figi=true",
    "has_figi=false&has_entity=false",
    "has_entity=true&category=E",
    "maturity_after=2027-01-01&maturity_before=2027-12-31",
    "expiry_after=2026-01-01&category=O",
    "category=D&ordering=maturity_date",
    "category=D&ordering=-maturity_date",
    "ordering=-first_trade_at",
    "q=bank&ordering=-first_trade_at",
    "register=FCA&q=bank",
    "q=bank&has_figi=true",
    "first_trade_after=2025-01-01",
    "changed_since=2020-01-01",
)


def find_api(keys: dict[str, Any]) -> Iterator[str]:
    """Yield all addresses of the API, with the keys of rows in the middle of their tables."""
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    for path, operations in schema["paths"].items():
        if "get" in operations:
            kind = path.split("/")[3] if path.count("/") > 3 else ""
            yield path.format_map(defaultdict(int, {**keys, "id": keys.get(kind, 1)}))
    yield from (
        "/api/schema/",
        "/api/docs/",
        "/api/v1/instruments/?q=bank",
        "/api/v1/instruments/?category=D&currency=EUR&status=active",
        f"/api/v1/instruments/?cursor={keys['isin']}&per_page=100",
        "/api/v1/instruments/changes/?expand=record",
        "/api/v1/instruments/changes/?expand=record&limit=1000",
    )


def find_pages(keys: dict[str, Any]) -> Iterator[str]:
    """Yield the pages that everybody may read, of the demo where it is loaded and of rows in the middle."""
    from instruments.models import Instrument

    middle = {
        demo_files.SHARE: keys["isin"],
        demo_files.BOND: keys["bond"],
        demo_files.ISSUER: keys["lei"],
        "XETR": keys["mic"],
    }
    pages = list(PUBLIC_PAGES.values())
    if Instrument.objects.filter(pk=demo_files.SHARE).exists():
        yield from pages
    for path in pages:
        other = path
        for known, key in middle.items():
            other = other.replace(known, str(key))
        yield other
    yield f"/files/{keys['file']}/"
    yield f"/reconciliations/{keys['reconciliations']}/"
    yield f"/?q=bank&after={keys['isin']}"
    yield f"/?category=R&after={keys['isin']}"
    yield f"/?issuer={keys['lei']}"
    yield f"/?issuer_group={keys['lei']}"
    yield f"/?mic={keys['mic']}"
    yield f"/?mic={keys['mic']}&category=D"
    yield f"/?underlying={keys['isin']}"
    yield from (f"/?{query}" for query in _SEARCHES)
    yield from (
        f"/suggestions/?q={words}" for words in ("de", "volks", "bank", "call", "0000", "eu")
    )
    yield from (f"/entities/?q={words}" for words in ("bank", "gmbh", "a", keys["lei"]))
    for kind in keys["problems"]:
        yield f"/problems/{kind}/"


def find_pages_of_users(keys: dict[str, Any]) -> Iterator[str]:
    """Yield the pages that need a role."""
    isin = keys["isin"]
    yield from (
        "/status/",
        "/account/",
        "/password/",
        "/corrections/",
        f"/corrections/propose/?isin={isin}",
        "/files/upload/",
        "/notes/",
        f"/notes/instrument/{isin}/",
        "/watchlists/",
    )


def find_admin(keys: dict[str, Any]) -> Iterator[str]:
    """Yield the lists of the admin, and searches in those that have a search box."""
    from django.urls import reverse

    from tests.admin_pages import find_admin_pages

    yield "/admin/"
    for model, model_admin in find_admin_pages().items():
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield path
        if model_admin.search_fields:
            yield from (f"{path}?q={words}" for words in ("bank", keys["isin"], keys["lei"]))


def find_keys() -> dict[str, Any]:
    """Return the keys of rows in the middle of their tables."""
    from curation.problem_kinds import KINDS
    from esma_files.models import EsmaFile, RejectedRecord, Run
    from instruments.models import Instrument, ListedVenue, Reconciliation

    instruments = Instrument.objects.order_by("pk")
    isins = instruments.values_list("pk", flat=True)
    bonds = instruments.filter(cfi_code__startswith="D").values_list("pk", flat=True)
    newest_rejected = RejectedRecord.objects.order_by("-pk").first()
    newest_reconciliation = Reconciliation.objects.order_by("-pk").first()
    files = EsmaFile.objects.order_by("pk").values_list("name", "pk")
    return {
        "isin": isins[50_000:50_001].first() or isins.first(),
        "bond": bonds.first() or isins.first(),
        "name": files[0][0],
        "file": files[0][1],
        "mic": ListedVenue.objects.order_by("-listings").values_list("pk", flat=True).first(),
        "code": "ES",
        "lei": Instrument.objects.exclude(issuer_lei="").values_list("issuer_lei", flat=True)[0],
        "register": "ESMA",
        "username": "bench-viewer",
        "prefix": "0" * 12,
        "runs": Run.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "rejects": newest_rejected.pk if newest_rejected else 1,
        "reconciliations": newest_reconciliation.pk if newest_reconciliation else 1,
        "problems": list(KINDS),
    }
