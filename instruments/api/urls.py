from django.urls import path
from rest_framework.routers import SimpleRouter

from instruments.api.changes import ChangesView
from instruments.api.classification import CategoriesView, CfiView, ExpansionView
from instruments.api.derivatives import DerivativesView, UnderlyingsView
from instruments.api.export import ExportView
from instruments.api.reconciliation import ReconciliationViewSet
from instruments.api.reportable import ReportableView
from instruments.api.scope import ScopeViewSet
from instruments.api.transparency import (
    InstrumentTransparencyView,
    SubclassTransparencyViewSet,
    TransparencyViewSet,
)
from instruments.api.venues import VenueViewSet
from instruments.api.views import InstrumentViewSet
from instruments.api.volume_caps import InstrumentVolumeCapView, VolumeCapViewSet

router = SimpleRouter()
router.register("instruments", InstrumentViewSet)
router.register("venues", VenueViewSet)
router.register("reconciliations", ReconciliationViewSet)
router.register("transparency/sub-classes", SubclassTransparencyViewSet, "subclass-transparency")
router.register("transparency", TransparencyViewSet, "transparency")
router.register("volume-cap", VolumeCapViewSet, "volume-cap")
router.register("scope", ScopeViewSet, "scope")
urlpatterns = [
    path("instruments/changes/", ChangesView.as_view(), name="instrument-changes"),
    path("instruments/export/", ExportView.as_view(), name="instrument-export"),
    path("cfi/", CategoriesView.as_view(), name="cfi-list"),
    path("cfi/<str:code>/", CfiView.as_view(), name="cfi-detail"),
    path("cfi/<str:code>/codes/", ExpansionView.as_view(), name="cfi-codes"),
    path(
        "instruments/<str:isin>/reportable/",
        ReportableView.as_view(),
        name="instrument-reportable",
    ),
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
        "instruments/<str:isin>/derivatives/",
        DerivativesView.as_view(),
        name="instrument-derivatives",
    ),
    path(
        "instruments/<str:isin>/underlyings/",
        UnderlyingsView.as_view(),
        name="instrument-underlyings",
    ),
    *router.urls,
]
