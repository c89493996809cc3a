"""The Celery app: `celery --app marketdata worker --beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")

app = Celery("marketdata")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
