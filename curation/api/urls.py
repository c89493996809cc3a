from django.urls import path
from rest_framework.routers import SimpleRouter

from curation.api.problems import ProblemKindsView, ProblemsView
from curation.api.views import CorrectionViewSet

router = SimpleRouter()
router.register("corrections", CorrectionViewSet, basename="correction")
urlpatterns = [
    path("problems/", ProblemKindsView.as_view(), name="problem-list"),
    path("problems/<str:kind>/", ProblemsView.as_view(), name="problem-kind"),
    *router.urls,
]
