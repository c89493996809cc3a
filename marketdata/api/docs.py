"""The OpenAPI schema and its two viewers, for those who may read."""

from typing import Any

from django.conf import settings
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)

from marketdata.common.access import reading
from marketdata.common.csp import CSP, Policy, csp_override

_NEEDS = {"GET": reading("instruments.view_instrument")}
# ReDoc adds style sheets by script, which carry the nonce, and searches in a worker made from a blob.
_REDOC_CSP: Policy = {
    **settings.SECURE_CSP,
    "style-src": [CSP.SELF, CSP.NONCE],
    "worker-src": ["blob:"],
}


class SchemaView(SpectacularAPIView):
    needs = _NEEDS


class SwaggerView(SpectacularSwaggerSplitView):
    """Swagger UI. Its script is an address of its own (`?script=`), so that nothing is inline."""

    needs = _NEEDS
    http_method_names = ["get", "head"]
    template_name = "api/swagger.html"


@method_decorator(csp_override(_REDOC_CSP), name="dispatch")
class RedocView(SpectacularRedocView):
    needs = _NEEDS
    http_method_names = ["get", "head"]
    template_name = "api/redoc.html"

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        parent: Any = super()  # untyped
        response = parent.get(request, *args, **kwargs)
        response.data["csp_nonce"] = request._request._csp_nonce
        return response
