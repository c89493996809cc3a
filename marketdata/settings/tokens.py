"""Signing keys and lifetimes of access and refresh tokens."""

import datetime as dt
import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives import serialization
from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env
from marketdata.settings.masking import Secret


def simple_jwt(secret_key: str) -> dict[str, Any]:
    """Return simplejwt's settings.

    Tokens are signed by RS256 if there is a private key: the text in the secret JWT_PRIVATE_KEY, or the file
    JWT_PRIVATE_KEY_FILE. Otherwise they are signed by HS256 with a key derived from SECRET_KEY.
    """
    return {
        **_keys(secret_key),
        "ISSUER": "marketdata",
        "AUDIENCE": "marketdata",
        "ACCESS_TOKEN_LIFETIME": dt.timedelta(minutes=15),
        "REFRESH_TOKEN_LIFETIME": dt.timedelta(days=7),
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        "USER_ID_CLAIM": "sub",
    }


def _keys(secret_key: str) -> dict[str, str]:
    name, private = "JWT_PRIVATE_KEY", env.read("JWT_PRIVATE_KEY", env.pem, "")
    if not private:
        name, private = "JWT_PRIVATE_KEY_FILE", env.read("JWT_PRIVATE_KEY_FILE", env.pem_file, "")
    if not private:
        derived = hmac.new(secret_key.encode(), b"tokens", hashlib.sha256).hexdigest()
        return {"ALGORITHM": "HS256", "SIGNING_KEY": Secret(derived)}
    try:
        key = serialization.load_pem_private_key(private.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"{name} does not contain a private key: {error}") from error
    if getattr(key, "key_size", 0) < 2048 or not hasattr(key, "public_key"):
        raise ImproperlyConfigured(f"{name} must contain an RSA key of at least 2048 bits.")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "ALGORITHM": "RS256",
        "SIGNING_KEY": Secret(private),
        "VERIFYING_KEY": public.decode(),
    }
