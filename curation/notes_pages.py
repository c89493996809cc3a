"""Pages of notes and tags: a search, and those of an instrument, a venue or a legal entity."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from curation import notes
from curation.models import Note, Subject, Tag
from marketdata.common.errors import InvalidQuery, MarketDataError, NotInDatabase
from marketdata.web.access import GuardedView, holding, may_see_user_name
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
_ADD = "curation.add_note"
_ADDRESSES = {"instrument": "instrument", "venue": "venue", "entity": "entity"}


class NotesView(GuardedView):
    """All notes, newest first, by words of the text, a code or a tag."""

    needs = holding("curation.view_note")

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").strip()[:100]
        tag = request.GET.get("tag", "").strip().lower()[:40]
        rows = Note.objects.all()
        for word in words.split()[:10]:
            rows = rows.filter(text__icontains=word) | rows.filter(code=word.upper())
        tagged = Tag.objects.filter(name=tag).order_by("code")[:PAGE_SIZE] if tag else []
        page = BoundedPaginator(rows.order_by("-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        context = {"q": words, "tag": tag, "tagged": tagged, "page": page}
        return render(request, "curation/notes.html", {**context, "query": query.urlencode()})


class NotesOfView(GuardedView):
    """The notes and tags of one thing, and forms to add others."""

    needs = holding("curation.view_note")

    def get(self, request: HttpRequest, subject: str, code: str) -> HttpResponse:
        return self._show(request, subject, self._check(subject, code), "")

    def post(self, request: HttpRequest, subject: str, code: str) -> HttpResponse:
        """Add a note or a tag, or delete one."""
        code = self._check(subject, code)
        if not request.user.has_perm(_ADD):
            return self.handle_no_permission()
        by = request.user.get_username()
        try:
            if "text" in request.POST:
                notes.add_note(subject, code, request.POST["text"], by=by, request=request)
            elif "name" in request.POST:
                notes.add_tag(subject, code, request.POST["name"], by=by, request=request)
            else:
                self._delete(request, code)
        except MarketDataError as error:
            return self._show(request, subject, code, str(error))
        return HttpResponseRedirect(reverse("notes-of", args=[subject, code]))

    def _delete(self, request: HttpRequest, code: str) -> None:
        for name, model in (("delete_note", Note), ("delete_tag", Tag)):
            number = request.POST.get(name, "")
            if number.isascii() and number.isdigit() and len(number) < 19:
                for row in model._default_manager.filter(pk=number, code=code):
                    notes.delete(
                        row,
                        by=request.user.get_username(),
                        may_delete=request.user.has_perm(notes.DELETE),
                        request=request,
                    )

    def _check(self, subject: str, code: str) -> str:
        try:
            return notes.check_subject(subject, code)
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error

    def _show(self, request: HttpRequest, subject: str, code: str, problem: str) -> HttpResponse:
        user: Any = request.user
        may_delete = user.has_perm(notes.DELETE)

        def describe(row: Note | Tag) -> dict[str, Any]:
            name = row.created_by
            is_own = name == user.get_username()
            return {
                "row": row,
                "by": name if may_see_user_name(user, name) else "",
                "may_delete": may_delete or (is_own and user.has_perm(_ADD)),
            }

        of_code = {"subject": subject, "code": code}
        context = {
            "typed": request.POST,
            "subject": Subject(subject),
            "code": code,
            "about": reverse(_ADDRESSES[subject], args=[code]),
            "notes": [describe(row) for row in Note.objects.filter(**of_code)[:200]],
            "tags": [describe(row) for row in Tag.objects.filter(**of_code)[:200]],
            "may_add": user.has_perm(_ADD),
            "problem": problem,
        }
        return render(request, "curation/notes_of.html", context, status=400 if problem else 200)
