from django.urls import path
from rest_framework.routers import SimpleRouter

from esma_files.api.views import EsmaFileViewSet, RetentionView, RunViewSet, StorageView

router = SimpleRouter()
router.register("files", EsmaFileViewSet, basename="file")
router.register("runs", RunViewSet)
urlpatterns = [
    *router.urls,
    path("storage/", StorageView.as_view(), name="storage"),
    path("storage/retention/", RetentionView.as_view(), name="retention"),
]
