from marketdata.celery import app as celery_app

# The version of the project, as in pyproject.toml; CHANGELOG.md describes each one. Backups record it.
__version__ = "0.2.0"

__all__ = ["__version__", "celery_app"]
