"""Settings of the project, read from the environment or `.env`. docs/settings.md explains every variable."""

import datetime as dt
import hashlib
from pathlib import Path

import django_stubs_ext
from dotenv import load_dotenv

from marketdata.settings import (
    databases,
    entra,
    env,
    limits,
    passwords,
    private,
    schedule,
    secrets,
    security,
    storages,
    telemetry,
    tokens,
)

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
private.restrict_new_files()
load_dotenv(env.read("ENV_FILE", env.path, BASE_DIR / ".env"))

DEBUG = env.read("DEBUG", env.flag, False)
KEY_VAULT = secrets.use_key_vault(is_production=not DEBUG)
KEY_VAULT_REFRESH_SECONDS = env.read("KEY_VAULT_REFRESH_SECONDS", env.positive, 600)
SECRET_KEY = env.read("SECRET_KEY", str if DEBUG else env.secret)  # weak only while developing
SECRET_KEY_FALLBACKS: list[str] = env.read("SECRET_KEY_PREVIOUS", env.keys, [])
ALLOWED_HOSTS = env.read("ALLOWED_HOSTS", env.names, ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.read("CSRF_TRUSTED_ORIGINS", env.names, [])

# Whether reading is possible without signing in. Everything else requires a role.
ANONYMOUS_READ = env.read("ANONYMOUS_READ", env.flag, False)

INSTALLED_APPS = [
    "marketdata.web",
    "databases",
    "audit",
    "accounts",
    "esma_files",
    "marketdata.services",
    "instruments",
    "curation",
    "lake",
    "monitoring",
    "accounts.apps.AccountsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework_simplejwt.token_blacklist",
    "axes",
    "corsheaders",
]

# Telemetry: nothing is measured or installed without an exporter. See docs/operations.md.
APPLICATIONINSIGHTS_CONNECTION_STRING = telemetry.connection_string()
TELEMETRY = telemetry.exporters(APPLICATIONINSIGHTS_CONNECTION_STRING)
TELEMETRY_SECONDS = env.read("TELEMETRY_SECONDS", env.positive, 5)
TELEMETRY_DIR = env.read("TELEMETRY_DIR", env.path, BASE_DIR / "var" / "telemetry")
METRICS_DIR = env.read("METRICS_DIR", env.path, BASE_DIR / "var" / "metrics")
telemetry.use_metrics_folder(METRICS_DIR, TELEMETRY)

MIDDLEWARE = [
    "marketdata.web.headers.SecurityHeadersMiddleware",
    "marketdata.web.csp.ContentSecurityPolicyMiddleware",
    "monitoring.health.probes.HealthMiddleware",  # before all that may refuse a request: see there
    "marketdata.common.logs.RequestIdMiddleware",
    *telemetry.middleware(TELEMETRY),
    "marketdata.web.middleware.RequestsAtATime",
    "marketdata.web.middleware.TimeLimits",  # before all that asks the database
    "instruments.kept_responses.KeptAnswersMiddleware",  # before all whose headers it keeps
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "marketdata.web.compression.CompressionMiddleware",  # before ETags are set
    "marketdata.web.middleware.ConditionalGet",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "marketdata.web.middleware.Guard",
    "axes.middleware.AxesMiddleware",  # must be last: it answers requests of locked-out users
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
                "marketdata.web.csp.csp",
                "accounts.entra_sign_in.has_entra_sign_in",
            ],
        },
    },
]

DATABASES = {
    "default": databases.from_environment(BASE_DIR),
    **databases.replica_from_environment(),
}
DATABASE_ROUTERS = ["instruments.replica.Router"] if "replica" in DATABASES else []
if DATABASE_ROUTERS:
    MIDDLEWARE.insert(-1, "instruments.replica.ReadFromReplica")  # the last one stays last
private.restrict_existing(
    folder=BASE_DIR / "var",
    database=DATABASES["default"]["NAME"] if "sqlite" in DATABASES["default"]["ENGINE"] else None,
)
AZURE_SQL_POOL_SIZE = databases.pool_size()
DATABASE_CONNECTION_POOLING = AZURE_SQL_POOL_SIZE > 0  # mssql-django's name
# Databases that `transfer` knows by name. Not in DATABASES, as the service and its tests use only one.
NAMED_DATABASES = databases.by_name(BASE_DIR)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS, PASSWORD_HASHERS = passwords.VALIDATORS, passwords.HASHERS
AUTHENTICATION_BACKENDS = [
    # The first three can refuse an attempt; the last one checks the password.
    "accounts.sign_in_limits.NetworkLimitBackend",
    "accounts.lockout.LockoutBackend",
    "accounts.sign_in_limits.NameLimitBackend",
    "django.contrib.auth.backends.ModelBackend",
]
ENTRA = entra.from_environment()
if ENTRA.get("client"):
    AUTHENTICATION_BACKENDS += ["accounts.entra_sign_in.EntraBackend"]
SIMPLE_JWT = tokens.simple_jwt(SECRET_KEY)
API_KEY_MAX_DAYS = env.read("API_KEY_MAX_DAYS", env.positive, 366)
API_KEYS_PER_USER = env.read("API_KEYS_PER_USER", env.positive, 20)

# Five wrong passwords for one user name from one network lock out this pair for a quarter of an hour.
AXES_FAILURE_LIMIT = env.read("LOCK_OUT_AFTER", env.positive, 5)
LOCK_OUT_MINUTES = env.read("LOCK_OUT_MINUTES", env.positive, 15)
AXES_COOLOFF_TIME = dt.timedelta(minutes=LOCK_OUT_MINUTES)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # the audit trail has it
AXES_CLIENT_IP_CALLABLE = "marketdata.web.address.client_network"
AXES_USERNAME_CALLABLE = "accounts.lockout.canonical_username"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.lockout_response"
AXES_HANDLER = "accounts.lockout.AttemptHandler"
AXES_SENSITIVE_PARAMETERS = ["username"]
AXES_VERBOSE = False

# Who is asking, and how much: docs/accounts.md.
TRUSTED_PROXIES = env.read("TRUSTED_PROXIES", env.count, 0)
SENSITIVE_NETWORKS: list[env.Network] = env.read("SENSITIVE_NETWORKS", env.networks, [])
REQUEST_TIMEOUT_SECONDS = env.read("REQUEST_TIMEOUT_SECONDS", env.positive, 20)
REQUESTS_AT_A_TIME = env.read("REQUESTS_AT_A_TIME", env.positive, 8)
COSTLY_REQUESTS_AT_A_TIME = env.read("COSTLY_REQUESTS_AT_A_TIME", env.positive, 2)
EXPORT_TIMEOUT_SECONDS = env.read("EXPORT_TIMEOUT_SECONDS", env.positive, 60)
COUNT_TIMEOUT_SECONDS = env.read("COUNT_TIMEOUT_SECONDS", env.positive, 1)
FIRST_ANSWER_MILLISECONDS = env.read("FIRST_ANSWER_MILLISECONDS", env.positive, 600)
FACETS_TIMEOUT_SECONDS = env.read("FACETS_TIMEOUT_SECONDS", env.positive, 3)
LIMITS = limits.table(f"{AXES_FAILURE_LIMIT}/{LOCK_OUT_MINUTES}m")
REDIS_URL = env.read("REDIS_URL", env.redis_url, "")
CACHES = telemetry.measured(limits.caches(BASE_DIR, REDIS_URL), TELEMETRY)
# They are a traceback for each answer; the health check `cache` logs that Redis is gone, and back.
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = False
RATELIMIT_USE_CACHE = "counts"
# Its own values: each request asks for them several times, and Django takes long to miss a setting.
RATELIMIT_ENABLE, RATELIMIT_CACHE_PREFIX, RATELIMIT_HASH_ALGORITHM = True, "rl:", hashlib.sha256
RATELIMIT_IP_META_KEY = "marketdata.web.address.client_network"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "marketdata.formats"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.read("STATIC_ROOT", env.path, BASE_DIR / "var" / "static")
MEDIA_ROOT = env.read("MEDIA_ROOT", env.path, BASE_DIR / "var" / "files")
# For this user alone; static files are for the web server too (settings/storages.py).
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
STORAGES, FILES_LOCATION = storages.from_environment()
STAGING_DIR = env.read("STAGING_DIR", env.path, BASE_DIR / "var" / "staging")
MERGE_RECORDS = env.read("MERGE_RECORDS", env.positive, 5_000)

# Delta Lake tables (docs/lake.md): where they are, and for how long old versions can be read.
LAKE_DIR = env.read("LAKE_DIR", env.path, BASE_DIR / "var" / "lake")
LAKE_CONTAINER = env.read("LAKE_CONTAINER", str, "lake")
LAKE_KEEP_DAYS = env.read("LAKE_KEEP_DAYS", env.positive, 30)
# The share of a table that changed rows beside it may have before it is written whole (0: it always is).
LAKE_FOLD_PERCENT = env.read("LAKE_FOLD_PERCENT", env.count, 30)

# Backups of SQLite, and how many of each reason `backup prune` keeps.
BACKUP_DIR = env.read("BACKUP_DIR", env.path, BASE_DIR / "var" / "backups")
BACKUPS_KEEP = env.read("BACKUPS_KEEP", env.positive, 7)

# A full file that changes, ends or drops more of the active listings of its category is held (0: never).
LOAD_GATE_PERCENT = env.read("LOAD_GATE_PERCENT", env.count, 30)
LOAD_GATE_PERCENTS: dict[str, int] = env.read("LOAD_GATE_PERCENTS", env.counts, {"O": 60, "R": 60})
LOAD_GATE_RECORDS = env.read("LOAD_GATE_RECORDS", env.positive, 10_000)

# Limits that distinguish an archive from a zip bomb. ESMA's largest XML is about 700 MB.
ARCHIVE_MAX_BYTES = env.read("ARCHIVE_MAX_BYTES", env.positive, 20_000_000_000)
ARCHIVE_MAX_RATIO = env.read("ARCHIVE_MAX_RATIO", env.positive, 200)
# After this time in one step, a file is considered abandoned by a worker that died.
WORKER_STALLED_SECONDS = env.read("WORKER_STALLED_SECONDS", env.positive, 300)
STUCK_AFTER_SECONDS = env.read("STUCK_AFTER_SECONDS", env.positive, 6 * 3600)
# Delay before a failed step is retried; it doubles with every attempt.
RETRY_SECONDS = env.read("RETRY_SECONDS", env.positive, 60)
MAX_ATTEMPTS = env.read("MAX_ATTEMPTS", env.positive, 6)

# The registers that are followed, and what is fetched of what they list.
REGISTERS = env.read("REGISTERS", env.names, ["esma_firds"])
DOWNLOAD_KINDS = env.read("DOWNLOAD_KINDS", env.names, ["FULINS", "DLTINS"])
DOWNLOAD_CATEGORIES: list[str] = env.read("DOWNLOAD_CATEGORIES", env.names, [])
DOWNLOAD_DAYS = env.read("DOWNLOAD_DAYS", env.positive, 90)
ESMA_REGISTER_URL = env.read("ESMA_REGISTER_URL", env.url, "https://registers.esma.europa.eu/solr")
FCA_REGISTER_URL = env.read(
    "FCA_REGISTER_URL", env.url, "https://api.data.fca.org.uk/fca_data_firds_files"
)
FCA_FITRS_REGISTER_URL = env.read(
    "FCA_FITRS_REGISTER_URL", env.url, "https://api.data.fca.org.uk/fca_data_fitrs_files"
)
GLEIF_GOLDEN_COPY_URL = env.read(
    "GLEIF_GOLDEN_COPY_URL", env.url, "https://goldencopy.gleif.org/api/v2/golden-copies/publishes"
)
GLEIF_ISIN_LEI_URL = env.read(
    "GLEIF_ISIN_LEI_URL", env.url, "https://mapping.gleif.org/api/v2/isin-lei/latest"
)
GLEIF_BIC_LEI_URL = env.read(
    "GLEIF_BIC_LEI_URL", env.url, "https://mapping.gleif.org/api/v2/bic-lei/latest"
)
# A delta that a register removes within so many days is reported with the gaps.
REGISTER_NOTICE_DAYS = env.read("REGISTER_NOTICE_DAYS", env.positive, 7)
REGISTER_PAGE_SIZE = env.read("REGISTER_PAGE_SIZE", env.positive, 1000)
# The only hosts from which files are fetched, by https; `http://host` permits plain http for a host.
DOWNLOAD_HOSTS = env.read(
    "DOWNLOAD_HOSTS",
    env.hosts,
    [
        "firds.esma.europa.eu",
        "fitrs.esma.europa.eu",
        "dvcap.esma.europa.eu",
        "registers.esma.europa.eu",
        "data.fca.org.uk",
        "goldencopy.gleif.org",
        "leidata-preview.gleif.org",
        "mapping.gleif.org",
    ],
)
DOWNLOAD_DIR = env.read("DOWNLOAD_DIR", env.path, BASE_DIR / "var" / "downloads")
DOWNLOAD_MAX_BYTES = env.read("DOWNLOAD_MAX_BYTES", env.positive, 1_000_000_000)
DOWNLOADS_AT_A_TIME = env.read("DOWNLOADS_AT_A_TIME", env.positive, 4)
# OpenFIGI, which maps ISINs to FIGIs. Without a key it takes fewer requests, and fewer ISINs in each.
OPENFIGI_URL = env.read("OPENFIGI_URL", env.url, "https://api.openfigi.com")
OPENFIGI_API_KEY = env.read("OPENFIGI_API_KEY", str, "")
# Days after which the FIGIs of an ISIN are asked for again, and those of an ISIN that had none.
FIGI_REFRESH_DAYS = env.read("FIGI_REFRESH_DAYS", env.positive, 90)
FIGI_NO_MATCH_DAYS = env.read("FIGI_NO_MATCH_DAYS", env.positive, 30)
# ISINs that one run of the schedule asks for; a run starts every ten minutes by night.
FIGI_ISINS_PER_RUN = env.read("FIGI_ISINS_PER_RUN", env.positive, 1_000)
# GLEIF's API, which is asked for the LEIs of issuers while no golden copy is loaded.
GLEIF_URL = env.read("GLEIF_URL", env.url, "https://api.gleif.org")
# Days after which the record of an LEI is asked for again, and one that GLEIF did not know.
ENTITY_REFRESH_DAYS = env.read("ENTITY_REFRESH_DAYS", env.positive, 30)
ENTITY_UNKNOWN_DAYS = env.read("ENTITY_UNKNOWN_DAYS", env.positive, 7)
# LEIs that one run of the schedule asks for, and reads the relationships of: about five requests an LEI.
ENTITY_LEIS_PER_RUN = env.read("ENTITY_LEIS_PER_RUN", env.positive, 200)
# The commit that is deployed, shown in health reports.
GIT_COMMIT = env.read("GIT_COMMIT", str, "")
HTTP_USER_AGENT = env.read("HTTP_USER_AGENT", str, "MarketData/1 (reference data mirror)")
HTTP_TIMEOUT_SECONDS = env.read("HTTP_TIMEOUT_SECONDS", env.positive, 60)
HTTP_ATTEMPTS = env.read("HTTP_ATTEMPTS", env.positive, 5)

# Retention of fetched files (esma_files/retention.py).
COOL_AFTER_DAYS = env.read("COOL_AFTER_DAYS", env.positive, 7)
ARCHIVE_AFTER_DAYS = env.read("ARCHIVE_AFTER_DAYS", env.positive, 30)
DELETE_DELTAS_AFTER_DAYS = env.read("DELETE_DELTAS_AFTER_DAYS", env.positive, 30)
COMPRESS_AFTER_DAYS = env.read("COMPRESS_AFTER_DAYS", env.positive, 7)
STORAGE_BUDGET_BYTES = env.read("STORAGE_BUDGET_BYTES", env.positive, 5_000_000_000)
STORAGE_WARN_PERCENT = env.read("STORAGE_WARN_PERCENT", env.positive, 80)
# US dollars per GB (10^9 bytes) and month: Azure Blob Storage, Standard LRS, Sweden Central.
STORAGE_PRICES = {"hot": "0.0184", "cool": "0.01", "archive": "0.00099"}

QUEUE_DIR = env.folder("QUEUE_DIR", env.read("QUEUE_DIR", env.path, BASE_DIR / "var" / "queue"))
CELERY_BROKER_URL = REDIS_URL or "marketdata-sqlite://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS = {} if REDIS_URL else schedule.embedded_queue_options(QUEUE_DIR)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # wait for the queue as long as it takes
CELERY_BROKER_CONNECTION_TIMEOUT = 5
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1}
# A message that is lost with a killed worker is sent again: its file or run still waits in the database.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60  # seconds: a new process first looks for abandoned work
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000  # kB; checked between tasks: a load needs more
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = schedule.beat_schedule()
CELERY_BEAT_SCHEDULER = "marketdata.heartbeats:ReportingScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(QUEUE_DIR / "beat")  # when it last sent each task

# Corrections of published values: whether another person must approve them, and whether a correction holds or
# yields while it is to be reviewed, because the register publishes a third value.
CORRECTIONS_NEED_TWO = env.read("CORRECTIONS_NEED_TWO", env.flag, True)
CORRECTIONS_IN_REVIEW = env.read("CORRECTIONS_IN_REVIEW", env.one_of("hold", "yield"), "yield")
# Imports of curators are deleted by night after so many days (curation/importing/batches.py).
IMPORTS_KEEP_DAYS = env.read("IMPORTS_KEEP_DAYS", env.positive, 90)

# Permission for webhooks with http or private addresses, and the failures after which one is switched off.
WEBHOOK_PRIVATE_ADDRESSES = env.read("WEBHOOK_PRIVATE_ADDRESSES", env.flag, False)
WEBHOOK_MAX_FAILURES = env.read("WEBHOOK_MAX_FAILURES", env.positive, 12)

# Number of instruments in one export, for users without the permission to export all.
EXPORT_MAX_ROWS = env.read("EXPORT_MAX_ROWS", env.positive, 1_000_000)

# Address of the ISO 10383 list of venues, and the only hosts from which it is fetched.
MIC_LIST_URL = env.read(
    "MIC_LIST_URL",
    env.url,
    "https://www.iso20022.org/sites/default/files/ISO10383_MIC/ISO10383_MIC.csv",
)
MIC_LIST_HOSTS: list[str] = env.read("MIC_LIST_HOSTS", env.hosts, ["www.iso20022.org"])

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["marketdata.api.permissions.Needs"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.BearerAuthentication",
        "accounts.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["marketdata.api.throttles.Limits"],
    "DEFAULT_PAGINATION_CLASS": "marketdata.api.pagination.NumberedPages",
    "DEFAULT_FILTER_BACKENDS": ["marketdata.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "marketdata.api.openapi.RuleSchema",
    "EXCEPTION_HANDLER": "marketdata.api.problems.problem_response",
    "DEFAULT_RENDERER_CLASSES": [
        "marketdata.api.renderers.FastJSONRenderer",
        "marketdata.api.browsable.BrowsableApi",
    ],
    "VIEW_NAME_FUNCTION": "marketdata.api.browsable.get_view_name",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "marketdata.api.negotiation.ContentNegotiation",
    "DEFAULT_PARSER_CLASSES": ["marketdata.api.parsers.BoundedJSONParser"],
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MarketData",
    "DESCRIPTION": "Reference data of every instrument tradable in the EU and the UK, from ESMA and the FCA.",
    "VERSION": "1",
    "TAGS": [  # in the order of the documentation: what people need first
        {"name": name}
        for names in (
            "instruments lookup reportability lists transparency volume-cap venues entities figis cfi",
            "issuer-differences profiles webhooks watchlists notes tags problems corrections curation",
            "files runs rejects reconciliations scope storage stats health auth api-keys users roles audit",
        )
        for name in names.split()
    ],
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["marketdata.api.permissions.Needs"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "marketdata.api.examples.add_examples",
    ],
    "COMPONENT_SPLIT_PATCH": False,  # bodies of PATCH have required fields, too
    "ENUM_NAME_OVERRIDES": {
        "ListingStatus": "instruments.models.Status.choices",
        "Register": "instruments.models.Register.choices",
        "FileState": "esma_files.models.FileState",
        "FileKind": "esma_files.models.KIND_CHOICES",
        "RunState": "esma_files.models.RunState",
        "RunKind": "esma_files.models.RunKind",
        "ProblemKindCode": "curation.problem_kinds.CHOICES",
        "ChangeKind": "instruments.listings.changes.KINDS",
        "NoteSubject": "curation.models.Subject.choices",
        "ResultSubject": "instruments.models.Subject.choices",
        "CurationTable": "curation.models.ImportBatch.KINDS",
        "ApiKeyState": ["usable", "expired", "revoked"],
        "AppliedCorrectionState": ["in_force", "to_review"],
        "ServiceState": ["connected", "unavailable", "unknown"],
    },
}

# HTTPS=false is for use on one machine only. By default everything requires https.
HTTPS = env.read("HTTPS", env.flag, True)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600  # seconds
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if env.read("BEHIND_PROXY", env.flag, False):  # The proxy must overwrite this header.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CSP = security.SECURE_CSP
DEFAULT_EXCEPTION_REPORTER = "marketdata.web.error_pages.MaskingReporter"
CSRF_FAILURE_VIEW = "marketdata.web.error_pages.csrf_failure"
# Mails of watch lists. By default they are printed; smtp sends them.
_MAIL_BY = env.read("MAIL_BY", env.one_of("console", "smtp"), "console")
EMAIL_BACKEND = f"django.core.mail.backends.{_MAIL_BY}.EmailBackend"
EMAIL_HOST = env.read("SMTP_HOST", str, "localhost")
EMAIL_PORT = env.read("SMTP_PORT", env.positive, 587)
EMAIL_HOST_USER = env.read("SMTP_USER", str, "")
EMAIL_HOST_PASSWORD = env.read("SMTP_PASSWORD", str, "")
EMAIL_USE_TLS = env.read("SMTP_TLS", env.flag, True)
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = env.read("MAIL_FROM", str, "marketdata@localhost")
DATA_UPLOAD_MAX_MEMORY_SIZE = env.read("MAX_BODY_BYTES", env.positive, 1_000_000)
FILE_UPLOAD_HANDLERS = [
    "marketdata.web.uploads.LimitedUploads",  # Django's limit does not count files
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# Pages of other sites that may call the API from a browser. They send a token or key, never cookies.
CORS_ALLOWED_ORIGINS: list[str] = env.read("CORS_ALLOWED_ORIGINS", env.names, [])
CORS_URLS_REGEX = r"^/api/(v1|schema)/"
CORS_ALLOW_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"]
CORS_EXPOSE_HEADERS = [
    *("Changes-Cursor", "ETag", "Location", "RateLimit-Limit", "RateLimit-Remaining"),
    *("RateLimit-Reset", "Retry-After", "X-Request-ID"),
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "search"

LOGGING = telemetry.logging(is_production=not DEBUG)
