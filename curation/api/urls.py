from django.urls import path
from rest_framework.routers import SimpleRouter

from curation.api.imports import CommitView, ExportView, ImportsView, ImportView
from curation.api.notes import NoteViewSet, TagViewSet
from curation.api.problems import ProblemKindsView, ProblemsView
from curation.api.views import CorrectionViewSet
from curation.api.watchlists import WatchListViewSet

router = SimpleRouter()
router.register("corrections", CorrectionViewSet, basename="correction")
router.register("watchlists", WatchListViewSet, basename="watchlist")
router.register("notes", NoteViewSet, basename="note")
router.register("tags", TagViewSet, basename="tag")
urlpatterns = [
    path("curation/imports/", ImportsView.as_view(), name="import-list"),
    path("curation/imports/<int:number>/", ImportView.as_view(), name="import-detail"),
    path("curation/imports/<int:number>/commit/", CommitView.as_view(), name="import-commit"),
    path("curation/exports/<str:kind>/", ExportView.as_view(), name="curation-export"),
    path("problems/", ProblemKindsView.as_view(), name="problem-list"),
    path("problems/<str:kind>/", ProblemsView.as_view(), name="problem-kind"),
    *router.urls,
]
