from django.urls import path

from instruments.classification.pages import CfiTableView, CfiView
from instruments.dossier.pages import DossierPage
from instruments.enrichment.pages import EnrichmentView
from instruments.entities.difference_pages import IssuerDifferencesPage
from instruments.entities.pages import EntitiesView, EntityView
from instruments.list_check.pages import CheckListView
from instruments.list_files.pages import DeleteListView, ListAnswersView, ListFilesView
from instruments.listings.analytics_page import AnalyticsView
from instruments.listings.history_page import CompareView, HistoryView
from instruments.listings.pages import InstrumentView
from instruments.listings.reconciliation_pages import ReconciliationsView, ReconciliationView
from instruments.listings.search_page import SearchView
from instruments.listings.suggestions import SuggestionsView
from instruments.mcp.api import McpView
from instruments.transparency.pages import TransparencyView
from instruments.venues.pages import VenuesView, VenueView
from instruments.webhooks.pages import WebhooksView, WebhookView

urlpatterns = [
    path("", SearchView.as_view(), name="search"),
    path("suggestions/", SuggestionsView.as_view(), name="suggestions"),
    path("analytics/", AnalyticsView.as_view(), name="analytics"),
    path("check/", CheckListView.as_view(), name="check-list"),
    path("check/files/", ListFilesView.as_view(), name="list-files"),
    path("check/files/<int:number>/answers/", ListAnswersView.as_view(), name="list-answers"),
    path("check/files/<int:number>/delete/", DeleteListView.as_view(), name="delete-list"),
    path("webhooks/", WebhooksView.as_view(), name="webhooks"),
    path("webhooks/<int:number>/", WebhookView.as_view(), name="webhook"),
    path("mcp/", McpView.as_view(), name="mcp"),
    path("cfi/", CfiTableView.as_view(), name="cfi-table"),
    path("cfi/<str:code>/", CfiView.as_view(), name="cfi"),
    path("enrichment/", EnrichmentView.as_view(), name="enrichment"),
    path("reconciliations/", ReconciliationsView.as_view(), name="reconciliations"),
    path("reconciliations/<int:pk>/", ReconciliationView.as_view(), name="reconciliation"),
    path("entities/", EntitiesView.as_view(), name="entities"),
    path("entities/differences/", IssuerDifferencesPage.as_view(), name="issuer-differences-page"),
    path("entities/<str:lei>/", EntityView.as_view(), name="entity"),
    path("venues/", VenuesView.as_view(), name="venues"),
    path("venues/<str:mic>/", VenueView.as_view(), name="venue"),
    path("instruments/<str:isin>/dossier/", DossierPage.as_view(), name="dossier"),
    path("instruments/<str:isin>/history/", HistoryView.as_view(), name="history"),
    path("instruments/<str:isin>/compare/", CompareView.as_view(), name="compare"),
    path("instruments/<str:isin>/transparency/", TransparencyView.as_view(), name="transparency"),
    path("instruments/<str:isin>/", InstrumentView.as_view(), name="instrument"),
]
