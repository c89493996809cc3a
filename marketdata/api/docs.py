"""The OpenAPI schema and its two viewers, for those who may read."""

from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from marketdata.common.access import reading

_NEEDS = {"GET": reading("instruments.view_instrument")}


class SchemaView(SpectacularAPIView):
    needs = _NEEDS


class SwaggerView(SpectacularSwaggerView):
    needs = _NEEDS


class RedocView(SpectacularRedocView):
    needs = _NEEDS
