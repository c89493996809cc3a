from django.urls import path
from rest_framework.routers import SimpleRouter

from instruments.bulk_lookup.api import BulkLookupView
from instruments.classification.api import CategoriesView, CfiView, ExpansionView
from instruments.dossier.api import DossierView
from instruments.enrichment.api import EnrichInstrumentView, EnrichView
from instruments.entities.api.differences import (
    IssuerDifferencesExportView,
    IssuerDifferencesView,
)
from instruments.entities.api.views import LegalEntityViewSet
from instruments.figis.api import FigiView, InstrumentFigisView
from instruments.list_check.api import ReportabilityListView
from instruments.list_files.api import ListAnswersView, ListFilesView, ListFileView
from instruments.listings.api.changes import ChangesView
from instruments.listings.api.derivatives import DerivativesView, UnderlyingsView
from instruments.listings.api.export import ExportView
from instruments.listings.api.reconciliation import ReconciliationViewSet
from instruments.listings.api.scope import ScopeViewSet
from instruments.listings.api.views import InstrumentViewSet
from instruments.profiles.api import ProfileRowsView, ProfilesView, ProfileView
from instruments.transparency.api.views import (
    InstrumentTransparencyView,
    SubclassTransparencyViewSet,
    TransparencyViewSet,
)
from instruments.venues.api import VenueViewSet
from instruments.volume_cap.api import InstrumentVolumeCapView, VolumeCapViewSet
from instruments.webhooks.api import WebhookViewSet

router = SimpleRouter()
router.register("instruments", InstrumentViewSet)
router.register("venues", VenueViewSet)
router.register("entities", LegalEntityViewSet, "entity")
router.register("reconciliations", ReconciliationViewSet)
router.register("transparency/sub-classes", SubclassTransparencyViewSet, "subclass-transparency")
router.register("transparency", TransparencyViewSet, "transparency")
router.register("volume-cap", VolumeCapViewSet, "volume-cap")
router.register("scope", ScopeViewSet, "scope")
router.register("webhooks", WebhookViewSet, "webhook")
urlpatterns = [
    path("instruments/changes/", ChangesView.as_view(), name="instrument-changes"),
    path("instruments/enrich/", EnrichView.as_view(), name="instruments-enrich"),
    path("instruments/export/", ExportView.as_view(), name="instrument-export"),
    *router.urls,
    path(
        "instruments/<str:isin>/enrich/",
        EnrichInstrumentView.as_view(),
        name="instrument-enrich",
    ),
    path("profiles/", ProfilesView.as_view(), name="profile-list"),
    path("profiles/<str:profile>/", ProfileView.as_view(), name="profile-detail"),
    path("profiles/<str:profile>/rows/", ProfileRowsView.as_view(), name="profile-rows"),
    path("lookup/", BulkLookupView.as_view(), name="bulk-lookup"),
    path("lists/", ListFilesView.as_view(), name="list-file-list"),
    path("lists/<int:number>/", ListFileView.as_view(), name="list-file-detail"),
    path("lists/<int:number>/answers/", ListAnswersView.as_view(), name="list-file-answers"),
    path("reportability/", ReportabilityListView.as_view(), name="reportability-list"),
    path("issuer-differences/", IssuerDifferencesView.as_view(), name="issuer-differences"),
    path(
        "issuer-differences/export/",
        IssuerDifferencesExportView.as_view(),
        name="issuer-differences-export",
    ),
    path("cfi/", CategoriesView.as_view(), name="cfi-list"),
    path("cfi/<str:code>/", CfiView.as_view(), name="cfi-detail"),
    path("cfi/<str:code>/codes/", ExpansionView.as_view(), name="cfi-codes"),
    path(
        "instruments/<str:isin>/transparency/",
        InstrumentTransparencyView.as_view(),
        name="instrument-transparency",
    ),
    path(
        "instruments/<str:isin>/volume-cap/",
        InstrumentVolumeCapView.as_view(),
        name="instrument-volume-cap",
    ),
    path(
        "instruments/<str:isin>/figis/",
        InstrumentFigisView.as_view(),
        name="instrument-figis",
    ),
    path(
        "instruments/<str:isin>/dossier/",
        DossierView.as_view(),
        name="instrument-dossier",
    ),
    path("figis/<str:figi>/", FigiView.as_view(), name="figi-detail"),
    path(
        "instruments/<str:isin>/derivatives/",
        DerivativesView.as_view(),
        name="instrument-derivatives",
    ),
    path(
        "instruments/<str:isin>/underlyings/",
        UnderlyingsView.as_view(),
        name="instrument-underlyings",
    ),
]
