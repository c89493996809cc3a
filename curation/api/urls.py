from rest_framework.routers import SimpleRouter

from curation.api.views import CorrectionViewSet

router = SimpleRouter()
router.register("corrections", CorrectionViewSet, basename="correction")
urlpatterns = router.urls
