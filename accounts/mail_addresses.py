"""The own mail address. A new one is used once it is confirmed by the link that is sent to it.

So nobody can have mails of the service sent to somebody else. Administrators set addresses of users at once.
"""

import datetime as dt
import logging
import smtplib
from typing import Any

from django.core import signing
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone

from accounts import users
from accounts.models import User
from audit import trail
from audit.models import Event
from marketdata.common.errors import InvalidQuery, Unavailable, WrongState

logger = logging.getLogger(__name__)

# A link is valid for as long.
VALID = dt.timedelta(days=1)
_LINKS_A_DAY = 5  # of a user, so that nobody is sent many
_SENT = "user.email_link"
_SALT = "accounts.mail_addresses"
_TEXT = """The user {username} of MarketData has given this address as theirs.

If this was you, sign in and confirm it within a day:

{link}

If it was not you, ignore this mail. Nothing is sent to this address until it is confirmed.
"""


def ask(user: User, email: str, *, request: Any) -> bool:
    """Send a link to a new address of a user, and return True; an empty address is set at once.

    Raises WrongState after too many links, and Unavailable if the mail cannot be sent.
    """
    email = User.objects.normalize_email(email)
    if email in ("", user.email):
        users.set_email(user, email, request=request)
        return False
    sent = Event.objects.filter(actor=user.username, action=_SENT, at__gt=timezone.now() - VALID)
    if sent.count() >= _LINKS_A_DAY:
        raise WrongState(f"You were sent {_LINKS_A_DAY} links within a day. Try again tomorrow.")
    link = request.build_absolute_uri(make_path(user, email))
    text = _TEXT.format(username=user.username, link=link)
    try:
        send_mail("MarketData: confirm your mail address", text, None, [email])
    except (OSError, smtplib.SMTPException) as error:
        logger.error("The link for the mail address of %s was not sent: %s", user.username, error)
        raise Unavailable("The mail could not be sent. Try again later.") from error
    trail.record(_SENT, request=request, about=user, new={"email": email})
    return True


def make_path(user: User, email: str) -> str:
    """Return the path of the page on which a user confirms an address."""
    token = signing.dumps([user.pk, user.email, email], salt=_SALT)
    return reverse("confirm-email", args=[token])


def read(user: User, token: str) -> str:
    """Return the address that a link of a user confirms. Raises InvalidQuery."""
    try:
        owner, old_email, email = signing.loads(token, salt=_SALT, max_age=VALID)
    except signing.BadSignature as error:
        raise InvalidQuery("token", "The link is not valid, or older than a day.") from error
    if owner != user.pk:
        raise InvalidQuery("token", "The link is for another user: sign in as that user.")
    if old_email != user.email:
        raise InvalidQuery("token", "Your mail address has been changed since the link was sent.")
    return str(email)


def confirm(user: User, token: str, *, request: Any) -> None:
    """Set the address that a link of a user confirms. Raises InvalidQuery."""
    users.set_email(user, read(user, token), request=request)
