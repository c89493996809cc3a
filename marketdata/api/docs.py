"""The OpenAPI schema and its two viewers, for those who may read."""

import hashlib
import threading
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)

from marketdata.web.access import reading
from marketdata.web.csp import CSP, Policy, csp_override

_NEEDS = {"GET": reading("instruments.view_instrument")}
# ReDoc adds style sheets by script, which carry the nonce, and searches in a worker made from a blob.
_REDOC_CSP: Policy = {
    **settings.SECURE_CSP,
    "style-src": [CSP.SELF, CSP.NONCE],
    "worker-src": ["blob:"],
}


class SchemaView(SpectacularAPIView):
    """The OpenAPI schema, generated once per process and media type, with an ETag."""

    needs = _NEEDS

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        renderer = request.accepted_renderer
        content, etag = _render_schema(type(renderer))
        name = f"{spectacular_settings.TITLE} ({spectacular_settings.VERSION}).{renderer.format}"
        response = HttpResponse(
            content,
            content_type=renderer.media_type,
            headers={
                "Cache-Control": "private, no-cache",  # kept, and asked for again by its ETag
                "Content-Disposition": f'inline; filename="{name}"',
                "ETag": etag,
            },
        )
        return get_conditional_response(request._request, etag=etag, response=response)


_rendering = threading.Lock()
_rendered: dict[type[Any], tuple[bytes, str]] = {}


def _render_schema(renderer_class: type[Any]) -> tuple[bytes, str]:
    """Return the schema in one media type, and its ETag. It depends on nothing of the request."""
    with _rendering:
        if renderer_class not in _rendered:
            generator: Any = spectacular_settings.DEFAULT_GENERATOR_CLASS()
            content = renderer_class().render(generator.get_schema(request=None, public=True))
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            _rendered[renderer_class] = content, etag
        return _rendered[renderer_class]


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
