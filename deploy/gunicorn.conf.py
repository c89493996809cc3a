"""Settings of the web server, for `make demo` and deploy/start."""

import os

from dotenv import load_dotenv
from gunicorn.http.wsgi import Response

load_dotenv(os.environ.get("ENV_FILE") or ".env")  # as the settings do, which are read later
wsgi_app = "marketdata.wsgi"
worker_class = "marketdata.web_worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# More than one client may occupy (REQUESTS_AT_A_TIME), since a slow reader of an export has one for long.
threads = int(os.environ.get("WEB_THREADS", "16"))
# Seconds after which a worker that does not respond at all is replaced; a busy thread does not count.
timeout = 120
graceful_timeout = 30
keepalive = 5
max_requests, max_requests_jitter = 10_000, 1_000
worker_tmp_dir = os.environ.get("GUNICORN_TMP")  # where heartbeats are written: best in memory
loglevel = "warning"
logger_class = "marketdata.web_worker.ServerLog"
# The settings alone decide which headers of proxies count (BEHIND_PROXY, TRUSTED_PROXIES). By default
# gunicorn takes the scheme and a prefix of the address from headers of every client on this machine.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
limit_request_line = 8190  # bytes of an address with its query, the most that gunicorn takes

_default_headers = Response.default_headers


def _default_headers_without_server(response: Response) -> list[str]:
    """Return the headers without `Server`, which would tell attackers which software this is."""
    return [line for line in _default_headers(response) if not line.startswith("Server:")]


Response.default_headers = _default_headers_without_server
