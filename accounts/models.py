"""Who uses the service."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user under a name of our own, so that it can grow without a change of model."""
