"""The application that a WSGI server serves."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
application = get_wsgi_application()

# What is loaded by now stays for as long as the process does: a full collection that looks through it too
# has a request wait for 80 ms now and then.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
