"""Django's settings, from the environment or `.env`. Every variable is in docs/settings.md."""

from pathlib import Path

import django_stubs_ext
from dotenv import load_dotenv

from marketdata.settings import databases, env

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
load_dotenv(env.read("ENV_FILE", env.path, BASE_DIR / ".env"))

DEBUG = env.read("DEBUG", env.flag, False)
SECRET_KEY = env.read("SECRET_KEY", str)
ALLOWED_HOSTS = env.read("ALLOWED_HOSTS", env.names, ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.read("CSRF_TRUSTED_ORIGINS", env.names, [])

# Who may read without signing in; everything but reading needs a member of staff.
ANONYMOUS_READ = env.read("ANONYMOUS_READ", env.flag, False)

INSTALLED_APPS = [
    "marketdata.common",
    "accounts",
    "esma_files",
    "instruments",
    "monitoring",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "marketdata.urls"
WSGI_APPLICATION = "marketdata.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": databases.from_environment(BASE_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.read("STATIC_ROOT", env.path, BASE_DIR / "var" / "static")
MEDIA_ROOT = env.read("MEDIA_ROOT", env.path, BASE_DIR / "var" / "files")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# ESMA's zips are large; Django spools uploads above this to disk anyway.
STAGING_DIR = env.read("STAGING_DIR", env.path, BASE_DIR / "var" / "staging")

# What an archive may hold before it is taken for a bomb. ESMA's largest XML is about 700 MB.
ARCHIVE_MAX_BYTES = env.read("ARCHIVE_MAX_BYTES", env.positive, 4_000_000_000)
ARCHIVE_MAX_RATIO = env.read("ARCHIVE_MAX_RATIO", env.positive, 200)
# A file that has been in one step for longer than this was left behind by a dead worker.
STUCK_AFTER_SECONDS = env.read("STUCK_AFTER_SECONDS", env.positive, 6 * 3600)

# Where ISO publishes the list of venues, and the only hosts that it is fetched from.
MIC_LIST_URL = env.read(
    "MIC_LIST_URL",
    str,
    "https://www.iso20022.org/sites/default/files/ISO10383_MIC/ISO10383_MIC.csv",
)
MIC_LIST_HOSTS: list[str] = env.read("MIC_LIST_HOSTS", env.names, ["www.iso20022.org"])

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["marketdata.api.permissions.ReadOrStaff"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PAGINATION_CLASS": "marketdata.api.pagination.NumberedPages",
    "DEFAULT_FILTER_BACKENDS": ["marketdata.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "marketdata.api.problems.problem_response",
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MarketData",
    "DESCRIPTION": "Reference data of every instrument tradable in the EU, from ESMA's FIRDS.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["marketdata.api.permissions.ReadOrStaff"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {"ListingStatus": "instruments.models.Status.choices"},
}

# Over plain http on this machine only: everywhere else the defaults ask for https.
HTTPS = env.read("HTTPS", env.flag, True)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if env.read("BEHIND_PROXY", env.flag, False):  # the proxy sets, and overwrites, this header
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
LOGIN_URL = "admin:login"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.read("LOG_LEVEL", str, "WARNING")},
}
