"""Checks of a configured database, with advice: `manage.py database check`."""
