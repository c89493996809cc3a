"""Notes and tags about instruments, venues and legal entities; who added them and when, and what of them is
in the audit trail.
"""

import re
from typing import Any

from django.db import IntegrityError, transaction

from audit import trail
from curation.models import Note, Subject, Tag
from instruments.models import Instrument, LegalEntity, ListedVenue, Venue
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted, WrongState
from marketdata.common.plain import to_plain
from marketdata.web.access import may_see_user_name

DELETE = "curation.delete_note"
_MAX_TEXT = 2_000
_TAG = "[a-z0-9]+(?:-[a-z0-9]+)*"


def check_subject(subject: str, code: str) -> str:
    """Return the code in upper case. Raises InvalidQuery, NotInDatabase."""
    code = code.strip().upper()
    is_known = {
        Subject.INSTRUMENT: lambda: Instrument.objects.filter(pk=code).exists(),
        Subject.VENUE: lambda: (
            Venue.objects.filter(pk=code).exists() or ListedVenue.objects.filter(pk=code).exists()
        ),
        Subject.ENTITY: lambda: LegalEntity.objects.filter(lei=code).exists(),
    }
    if subject not in Subject.values:
        raise InvalidQuery("subject", f"{subject!r} is none of {', '.join(Subject.values)}.")
    if not is_known[Subject(subject)]():
        raise NotInDatabase(f"There is no {Subject(subject).label.lower()} {code}.")
    return code


@transaction.atomic
def add_note(subject: str, code: str, text: str, *, by: str, request: Any = None) -> Note:
    """Add a note. Raises InvalidQuery, NotInDatabase."""
    code, text = check_subject(subject, code), text.strip()
    if not text:
        raise InvalidQuery("text", "Write a note.")
    if len(text) > _MAX_TEXT:
        raise InvalidQuery("text", f"At most {_MAX_TEXT:,} letters; these are {len(text):,}.")
    note = Note.objects.create(subject=subject, code=code, text=text, created_by=by)
    new = {"subject": subject, "code": code, "text": text[:500]}
    trail.record("note.added", request=request, actor=by, about=note, new=new)
    return note


@transaction.atomic
def add_tag(subject: str, code: str, name: str, *, by: str, request: Any = None) -> Tag:
    """Add a tag. Raises InvalidQuery, NotInDatabase, WrongState."""
    code, name = check_subject(subject, code), name.strip().lower()
    if not re.fullmatch(_TAG, name) or len(name) > 40:
        raise InvalidQuery(
            "name", f"{name!r} is not a tag: use lower-case letters, digits and hyphens."
        )
    try:
        with transaction.atomic():
            tag = Tag.objects.create(subject=subject, code=code, name=name, created_by=by)
    except IntegrityError as error:
        raise WrongState(f"{code} has the tag {name} already.") from error
    trail.record("tag.added", request=request, actor=by, about=tag, new={"code": code, "tag": name})
    return tag


@transaction.atomic
def delete(row: Note | Tag, *, by: str, may_delete: bool, request: Any = None) -> None:
    """Delete a note or tag: one's own, or any with the right to delete notes. Raises NotPermitted."""
    if not (may_delete or row.created_by == by):
        raise NotPermitted("You can delete only your own notes and tags.")
    action = f"{row._meta.model_name}.deleted"
    text = row.text[:500] if isinstance(row, Note) else row.name
    trail.record(action, request=request, actor=by, about=row, old={"code": row.code, "text": text})
    row.delete()


def describe(row: Note | Tag, *, user: Any = None) -> dict[str, Any]:
    """Return a note or tag as plain values; the name of its author is null for those who may not see it."""
    name = row.created_by
    return {
        "number": row.pk,
        "subject": row.subject,
        "code": row.code,
        **({"text": row.text} if isinstance(row, Note) else {"name": row.name}),
        "created_by": name if user is None or may_see_user_name(user, name) else None,
        "created_at": to_plain(row.created_at),
    }
