from django.urls import path
from rest_framework.routers import SimpleRouter

from esma_files.api.views import (
    EsmaFileViewSet,
    RejectedRecordViewSet,
    RetentionView,
    RunViewSet,
    StorageView,
)

router = SimpleRouter()
router.register("files", EsmaFileViewSet, basename="file")
router.register("runs", RunViewSet)
router.register("rejects", RejectedRecordViewSet, basename="reject")
urlpatterns = [
    *router.urls,
    path("storage/", StorageView.as_view(), name="storage"),
    path("storage/retention/", RetentionView.as_view(), name="retention"),
]
