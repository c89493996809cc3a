"""The WSGI application."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
application = get_wsgi_application()

# What a load that was killed has left is not part of any answer.
import_module("instruments.interrupted").undo_at_start()

# Exclude the objects loaded so far, which live as long as the process, from garbage collection. Scanning
# them delays a request by 80 ms now and then.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
