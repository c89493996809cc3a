"""The Celery app. `manage.py run_worker` runs a worker and the schedule of this app."""

import os

from celery import Celery

from marketdata import sqlite_queue
from marketdata.heartbeats import WorkerHeartbeat
from marketdata.pool_files import PoolFilesInNoFolder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
# Django's system checks import all pages, which a worker does not serve.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

sqlite_queue.register()
app = Celery("marketdata")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].update([PoolFilesInNoFolder, WorkerHeartbeat])
