from django.urls import path

from curation.correction_pages import DebtView, ProposeView
from curation.notes_pages import NotesOfView, NotesView
from curation.pages import ProblemsOfKindView, ProblemsView
from curation.watch_pages import WatchListsView, WatchListView

urlpatterns = [
    path("corrections/", DebtView.as_view(), name="corrections"),
    path("corrections/propose/", ProposeView.as_view(), name="propose-correction"),
    path("problems/", ProblemsView.as_view(), name="problems"),
    path("problems/<str:kind>/", ProblemsOfKindView.as_view(), name="problems-of-kind"),
    path("watchlists/", WatchListsView.as_view(), name="watch-lists"),
    path("watchlists/<int:number>/", WatchListView.as_view(), name="watch-list"),
    path("notes/", NotesView.as_view(), name="notes"),
    path("notes/<str:subject>/<str:code>/", NotesOfView.as_view(), name="notes-of"),
]
