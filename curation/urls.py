from django.urls import path

from curation.pages import ProblemsOfKindView, ProblemsView

urlpatterns = [
    path("problems/", ProblemsView.as_view(), name="problems"),
    path("problems/<str:kind>/", ProblemsOfKindView.as_view(), name="problems-of-kind"),
]
