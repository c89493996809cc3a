"""Requests whose answers are the examples of the OpenAPI schema: one for each operation.

`python -m pytest tests/marketdata/test_examples.py` compares them with marketdata/api/examples.json.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import api_keys, tokens
from curation import finding, watching
from curation.importing import batches
from curation.models import Note, Tag, WatchList
from curation.problem_kinds import KINDS
from curation.proposals import Proposal, propose
from esma_files.models import EsmaFile, Heartbeat, RejectedRecord, Run
from instruments import pipeline
from instruments.list_files import answering
from instruments.list_files import keeping as list_files
from instruments.models import (
    Delivery,
    Difference,
    Figi,
    MappedIssuer,
    MappedLei,
    Reconciliation,
    SubclassTransparency,
    Subject,
)
from instruments.profiles import saving
from instruments.webhooks import keeping
from monitoring.health import report
from tests.accounts.clients import PASSWORD, make_user
from tests.conftest import DATA
from tests.demo_files import CALL, ISSUER, SHARE
from tests.marketdata.test_any_request import KEYS, LEI, NAME, fill

ISIN, FIGI = "XS0107289323", "BBG000BLNNH6"


@dataclasses.dataclass(frozen=True)
class Example:
    """A request. `path` has the values of the parameters in the path, `prepare` is called before it.

    `other_forms` are queries whose answers have other media types. A body that is a text is CSV.
    """

    path: dict[str, str] = dataclasses.field(default_factory=dict)
    query: dict[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None
    prepare: Callable[[], Any] | None = None
    other_forms: tuple[dict[str, str], ...] = ()


_ADDRESS = f"https://firds.esma.europa.eu/firds/{NAME}"
_ONE = {"permissions": ["audit.view_event", "instruments.view_instrument"]}
_FORMS = tuple({"isin": ISIN, "file": form} for form in ("csv", "json", "xml"))
_RECEIVER = "https://receiver.example.org/listings"
_PROFILE = {
    "title": "Layout of a vendor",
    "columns": [
        {"name": "ID", "field": "isin"},
        {"name": "Maturity", "field": "maturity_date", "format": "DD.MM.YYYY"},
    ],
}
_CORRECTION = {
    "register": "ESMA",
    "isin": ISIN,
    "field": "issuer_lei",
    "value": LEI,
    "reason": "The prospectus names another issuer.",
}
_SHORT_NAME = {**_CORRECTION, "field": "short_name", "value": "THAMES/6.75 20340101"}
_FILTER = "category=D&currency=EUR"
_LONE = {"isin": ISIN}
_TRADES = f"isin,mic,day\n{ISIN},XLON,2025-09-01\n{ISIN},XLON\n"
_TABLE = "mic,name,country,comments\nXSTO,Stockholm,SE,A test\n"


def fill_with_demo() -> None:
    """Load a few real files of each kind, and the made-up ones of `make demo`."""
    fill()
    for loaded in pipeline.load(pipeline.register_files([DATA / "demo" / "eu"], excerpt=True)):
        assert loaded.error is None
    finding.find_all()


def add_rows() -> dict[str, Any]:
    """Add a row of each kind that no file has; return keys and texts for the requests by name."""
    boss = make_user("ada", "admin")
    file = EsmaFile.objects.get(name=NAME)
    RejectedRecord.objects.get_or_create(
        pk=1, defaults={"file": file, "position": 1, "field": "A/B", "reason": "empty"}
    )
    Reconciliation.objects.get_or_create(
        pk=1,
        defaults={
            "register": "ESMA",
            "category": "D",
            "published_on": file.published_on,
            "parts": 1,
            "compared": False,
        },
    )
    Difference.objects.create(
        reconciliation_id=1, isin=ISIN, mic="XLON", kind=Difference.Kind.EXTRA
    )
    Figi.objects.create(
        isin=ISIN, figi=FIGI, ticker="IBM", exchange_code="US", fetched_at=timezone.now()
    )
    proposal = Proposal("ESMA", ISIN, "full_name", "THAMES WATER 6.75 2034", "The prospectus")
    correction = propose(proposal, by="grace")
    batch = batches.try_import("venues", _TABLE.encode(), name="venues.csv", by="ada", user=boss)
    watch_list = WatchList(owner="ada", name="Water", isins=[ISIN])
    watching.save(watch_list)
    WatchList.objects.update(seen="0.0")
    mapped = MappedLei.objects.get_or_create(lei=LEI)[0]
    MappedIssuer.objects.update_or_create(
        pk=SHARE, defaults={"mapped_lei": mapped, "source_file": file}
    )
    SubclassTransparency.objects.create(
        source_file=file,
        source_position=1,
        fingerprint=1,
        result_key=1,
        record_kind="FULNCR",
        subject=Subject.LIQUIDITY,
        asset_class="BOND",
        classification="BOND",
        liquid=False,
    )
    list_file = list_files.create(
        "ada", [_TRADES.encode()], question="reportability", name="trades.csv", parameters={}
    )
    run = Run.objects.claim(list_file.run_id or 0)
    assert run is not None
    answering.answer(run)
    webhook = keeping.create("ada", url=_RECEIVER, filter={"mics": ["XFRA"]})
    Delivery.objects.create(
        webhook=webhook,
        message_id="msg_5f8d0c1e2a7b4c6d9e0f1a2b3c4d5e6f",
        changes=2,
        cursor=webhook.cursor,
        status=204,
        milliseconds=85,
    )
    saving.save("vendor", _PROFILE, by="ada")
    note = Note.objects.create(
        subject="instrument", code=ISIN, text="Read the terms", created_by="ada"
    )
    tag = Tag.objects.create(subject="instrument", code=ISIN, name="water", created_by="ada")
    key, _ = api_keys.create(
        boss, name="spreadsheet", permissions=["instruments.view_instrument"], days=90
    )
    return {
        "boss": boss,
        "correction": str(correction.pk),
        "batch": str(batch.pk),
        "watch_list": str(watch_list.pk),
        "webhook": str(webhook.pk),
        "list": str(list_file.pk),
        "note": str(note.pk),
        "tag": str(tag.pk),
        "prefix": key.prefix,
        "refresh": tokens.issue(boss)["refresh"],
    }


def set_state(state: str, **values: Any) -> Callable[[], Any]:
    """Return a function that puts the file of the examples into a state."""
    return lambda: EsmaFile.objects.filter(name=NAME).update(state=state, **values)


def add_role() -> None:
    """Add the role of the examples."""
    Group.objects.create(name="auditor")


def report_heartbeats() -> None:
    """Let a worker and a scheduler be alive."""
    for role in Heartbeat.Role.values:
        Heartbeat.objects.report(role)
        Heartbeat.objects.filter(role=role).update(identity=f"other/{role}/1")
    report.recent.forget()


def make_requests(rows: dict[str, Any]) -> dict[str, Example]:
    """Return the requests of operations that need more than the keys of KEYS, by operation."""
    correction, watch_list = {"number": rows["correction"]}, {"number": rows["watch_list"]}
    webhook = {"number": rows["webhook"]}
    role = {"name": "auditor", "permissions": ["audit.view_event"]}
    reason = {"reason": "The prospectus says otherwise."}
    return {
        "api_keys_create": Example(
            body={"name": "report", "permissions": ["instruments.view_instrument"], "days": 30}
        ),
        "api_keys_retrieve": Example({"prefix": rows["prefix"]}),
        "api_keys_destroy": Example({"prefix": rows["prefix"]}),
        "auth_logout_create": Example(body={"refresh": rows["refresh"]}),
        "auth_me_partial_update": Example(body={"email": "ada@example.org"}),
        "auth_password_create": Example(
            body={"old_password": PASSWORD, "new_password": "another horse 8 battery"}
        ),
        "auth_refresh_create": Example(body={"refresh": rows["refresh"]}),
        "auth_token_create": Example(body={"username": "ada", "password": PASSWORD}),
        "corrections_create": Example(body=_CORRECTION),
        "corrections_preview": Example(body=_SHORT_NAME),
        "corrections_propose_many": Example(body={"corrections": [_SHORT_NAME, _CORRECTION]}),
        "corrections_approve_many": Example(body={"numbers": [int(rows["correction"])]}),
        "corrections_debt": Example(),
        "corrections_retrieve": Example(correction),
        "corrections_approve_create": Example(correction),
        "corrections_reject_create": Example(correction, body=reason),
        "corrections_withdraw_create": Example(correction, body=reason),
        "corrections_report_create": Example(correction, body={"reported_on": "2026-11-20"}),
        "curation_export": Example({"kind": "corrections"}),
        "imports_create": Example(
            body={"kind": "venues", "file_name": "venues.csv", "content": _TABLE}
        ),
        "imports_retrieve": Example({"number": rows["batch"]}),
        "imports_commit": Example({"number": rows["batch"]}),
        "figis_retrieve": Example({"figi": FIGI}),
        "files_delete_create": Example({"name": NAME}, prepare=set_state("archived", content="")),
        "files_download_create": Example({"name": NAME}, prepare=set_state("loaded", url=_ADDRESS)),
        "files_keep_create": Example({"name": NAME}, body={"kept": True}),
        "files_release_create": Example({"name": NAME}, prepare=set_state("held")),
        "files_retry_create": Example({"name": NAME}, prepare=set_state("failed")),
        "files_sync_create": Example(body={"dataset": "esma_firds", "since": "2026-11-20"}),
        **dict.fromkeys(
            (
                "instruments_derivatives_list",
                "instruments_history_list",
                "instruments_listings_list",
                "instruments_transparency_retrieve",
                "instruments_volume_cap_retrieve",
            ),
            Example({"isin": SHARE}),
        ),
        "instruments_dossier": Example({"isin": SHARE}, other_forms=({"output": "markdown"},)),
        "instruments_underlyings_list": Example({"isin": CALL}),
        "entities_retrieve": Example({"lei": ISSUER}),
        "entities_hierarchy": Example({"lei": ISSUER}),
        "entities_instruments_list": Example({"lei": ISSUER}),
        "venues_retrieve": Example({"mic": "XETR"}),
        "venues_instruments_list": Example({"mic": "XETR"}, {"per_page": "2"}),
        "venues_segments_list": Example({"mic": "XFRA"}),
        "health_retrieve": Example(prepare=report_heartbeats),
        "instruments_enrich_list": Example(body={"isins": [ISIN]}),
        "instruments_list": Example(query={"category": "D", "per_page": "2"}),
        "instruments_reportable": Example(_LONE, {"on": "2025-09-01"}),
        "instruments_changes": Example(query={"limit": "2"}),
        "issuer_differences_export": Example(
            query={"comparison": "different"},
            other_forms=tuple({"file": form} for form in ("json", "xml")),
        ),
        "instruments_export_retrieve": Example(
            query={"category": "D", "fields": "isin,full_name"},
            other_forms=_FORMS,
        ),
        "instruments_lookup": Example(body={"isins": [ISIN]}),
        "lookup": Example(
            body=[
                {"idType": "ID_ISIN", "idValue": ISIN},
                {"idType": "TICKER", "idValue": "IBM", "micCode": "XETR"},
            ]
        ),
        "reportability_list_check": Example(
            body={"on": "2025-09-01", "items": [{"isin": ISIN, "mic": "XLON"}]}
        ),
        "lists_create": Example(
            query={"question": "reportability", "name": "trades.csv"}, body=_TRADES
        ),
        "lists_retrieve": Example({"number": rows["list"]}),
        "lists_destroy": Example({"number": rows["list"]}),
        "lists_answers": Example({"number": rows["list"]}),
        "notes_create": Example(
            body={"subject": "instrument", "code": ISIN, "text": "Read the terms"}
        ),
        "notes_destroy": Example({"number": rows["note"]}),
        "tags_create": Example(body={"subject": "instrument", "code": ISIN, "name": "utility"}),
        "tags_destroy": Example({"number": rows["tag"]}),
        "problems_of_kind_list": Example({"kind": next(iter(KINDS))}),
        "profiles_retrieve": Example({"profile": "vendor"}),
        "profiles_update": Example({"profile": "vendor"}, body=_PROFILE),
        "profiles_destroy": Example({"profile": "vendor"}),
        "profiles_rows": Example(
            {"profile": "vendor"},
            {"category": "D", "per_page": "2"},
            other_forms=_FORMS,
        ),
        "roles_create": Example(body=role),
        "roles_retrieve": Example({"name": "viewer"}),
        "roles_partial_update": Example({"name": "auditor"}, body=_ONE, prepare=add_role),
        "roles_destroy": Example({"name": "auditor"}, prepare=add_role),
        "scope_update": Example({"register": "ESMA"}, body={"categories": ["E", "D"]}),
        "users_create": Example(
            body={"username": "grace", "password": PASSWORD, "roles": ["analyst"]}
        ),
        "users_partial_update": Example({"username": "reader"}, body={"roles": ["curator"]}),
        "webhooks_create": Example(
            body={"url": _RECEIVER, "filter": {"categories": ["D"], "mics": ["XFRA"]}}
        ),
        "webhooks_retrieve": Example(webhook),
        "webhooks_partial_update": Example(webhook, body={"is_active": False}),
        "webhooks_destroy": Example(webhook),
        "webhooks_deliveries_list": Example(webhook),
        "webhooks_replay_create": Example(webhook, body={"since": "2026-01-01"}),
        "webhooks_secret_create": Example(webhook),
        "watchlists_create": Example(body={"name": "Bonds in euro", "filter": _FILTER}),
        "watchlists_retrieve": Example(watch_list),
        "watchlists_partial_update": Example(watch_list, body={"by_mail": True}),
        "watchlists_destroy": Example(watch_list),
        "watchlists_changes_retrieve": Example(watch_list),
        "watchlists_seen_create": Example(watch_list, body={}),
    }


def get_request(operation: Any, path: str, requests: dict[str, Example]) -> Example:
    """Return the request of an operation: its own, or one with the keys of KEYS."""
    if (example := requests.get(operation["operationId"])) is not None:
        return example
    return Example({name: key for name, key in KEYS.items() if f"{{{name}}}" in path})
