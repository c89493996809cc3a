from marketdata.celery import app as celery_app

# Of the project: backups note it. CHANGELOG.md says what each release has.
__version__ = "0.1.0.dev0"

__all__ = ["__version__", "celery_app"]
