"""The addresses of all pages of the site, with the data of the demo (`tests/demo_files.py`)."""

from accounts import mail_addresses
from accounts.models import User
from curation.models import Note, WatchList
from esma_files.models import EsmaFile
from instruments import tasks
from instruments.models import Delivery, Reconciliation, Venue
from instruments.webhooks import keeping
from tests import demo_files

SHARE, BOND = demo_files.SHARE, demo_files.BOND
PUBLIC_PAGES = {
    "front": "/",
    "search": "/?q=nordlicht&currency=EUR",
    "instrument": f"/instruments/{SHARE}/?as_of=2026-07-20",
    "bond": f"/instruments/{BOND}/",
    "history": f"/instruments/{SHARE}/history/",
    "compare": f"/instruments/{SHARE}/compare/?all=on",
    "transparency": f"/instruments/{BOND}/transparency/?on=2026-07-20",
    "dossier": f"/instruments/{SHARE}/dossier/",
    "cfi_table": "/cfi/",
    "cfi": "/cfi/DBFTFB/",
    "venues": "/venues/",
    "venue": "/venues/XETR/",
    "entities": "/entities/",
    "entity": f"/entities/{demo_files.ISSUER}/",
    "differences": "/entities/differences/",
    "files": "/files/",
    "calendar": "/files/calendar/",
    "runs": "/files/runs/",
    "rejects": "/files/rejects/",
    "storage": "/files/storage/",
    "reconciliations": "/reconciliations/",
    "problems": "/problems/",
    "problems_of_kind": "/problems/no_entity/",
    "check": "/check/",
    "enrichment": "/enrichment/",
    "analytics": "/analytics/",
    "sign_in": "/sign-in/",
}


def prepare_pages() -> dict[str, str]:
    """Add to the demo what pages show beside it; return the addresses of pages that need its keys or a user.

    The user is called "root".
    """
    Venue.objects.create(mic="XETR", operating_mic="XETR", name="XETRA", country="DE")
    tasks.recount_coverage()
    tasks.count_figures()
    watch_list = WatchList.objects.create(owner="root", name="Nordlicht", isins=[SHARE])
    Note.objects.create(subject="instrument", code=SHARE, text="Ask the desk.", created_by="root")
    webhook = keeping.create("root", url="https://receiver.example.org/listings")
    Delivery.objects.create(
        webhook=webhook, message_id="msg_1", changes=2, cursor="1.1.1", status=204, milliseconds=85
    )
    root = User.objects.filter(username="root").first() or User()
    file = EsmaFile.objects.earliest("pk")
    reconciliation = Reconciliation.objects.latest("pk")
    return {
        "file": f"/files/{file.pk}/",
        "reconciliation": f"/reconciliations/{reconciliation.pk}/",
        "upload": "/files/upload/",
        "status": "/status/",
        "corrections": "/corrections/",
        "propose": f"/corrections/propose/?isin={SHARE}",
        "webhooks": "/webhooks/",
        "webhook": f"/webhooks/{webhook.pk}/",
        "list_files": "/check/files/",
        "watch_lists": "/watchlists/",
        "watch_list": f"/watchlists/{watch_list.pk}/",
        "notes": "/notes/",
        "notes_of": f"/notes/instrument/{SHARE}/",
        "account": "/account/",
        "password": "/password/",
        "confirm_email": mail_addresses.make_path(root, "root@example.org"),
    }
