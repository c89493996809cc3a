from django.urls import path

from instruments.listings.pages import InstrumentView, SearchView

urlpatterns = [
    path("", SearchView.as_view(), name="search"),
    path("instruments/<str:isin>/", InstrumentView.as_view(), name="instrument"),
]
