from rest_framework.routers import SimpleRouter

from instruments.api.views import InstrumentViewSet

router = SimpleRouter()
router.register("instruments", InstrumentViewSet)
urlpatterns = router.urls
