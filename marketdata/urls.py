"""URL configuration of the service."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from marketdata.api.docs import RedocView, SchemaView, SwaggerView
from marketdata.api.views import RootView, UnknownPathView
from monitoring.api.views import HealthView, MetricsView, ServicesHealthView, StatsView
from monitoring.pages import StatusView

admin.autodiscover()
admin.site.site_header = admin.site.site_title = "MarketData"
admin.site.index_title = "Reference data"

api: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="root"),
    path("", include("instruments.api_urls")),
    path("", include("curation.api.urls")),
    path("", include("esma_files.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("audit.api.urls")),
    path("stats/", StatsView.as_view(), name="stats"),
]
handler400 = "marketdata.web.error_pages.bad_request"
handler403 = "marketdata.web.error_pages.forbidden"
handler404 = "marketdata.web.error_pages.not_found"
handler500 = "marketdata.web.error_pages.server_error"
urlpatterns = [
    path("api/v1/", include(api)),  # first, because each pattern before it costs every request
    path("", include("instruments.urls")),
    path("", include("curation.urls")),
    path("", include("esma_files.urls")),
    path("", include("accounts.urls")),
    path("status/", StatusView.as_view(), name="status"),
    path("health/", HealthView.as_view(), name="health"),
    path("health", ServicesHealthView.as_view(), name="health-in-brief"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("admin/", admin.site.urls),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", SwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc/", RedocView.as_view(url_name="schema"), name="redoc"),
    path("api/", RedirectView.as_view(pattern_name="docs"), name="api"),
    path("api/auth/", include("rest_framework.urls")),
    re_path(r"^api/(?P<path>.*)$", UnknownPathView.as_view()),
]
