"""The bell, and the page of everything that a person was told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Notification, NotificationLevel
from accounts.selectors import notifications as selectors
from accounts.selectors.notifications import NotificationNotFoundError
from accounts.services import notifications

_A_PAGE: Final = 30
_APPEARANCE: Final = {
    NotificationLevel.INFO: ("info", "info"),
    NotificationLevel.WARNING: ("warning", "triangle-alert"),
    NotificationLevel.PROBLEM: ("loss", "circle-alert"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as its page shows it."""

    public_id: UUID
    title: str
    body: str
    kind: str
    tone: str
    icon: str
    told_at: datetime
    is_unread: bool
    leads_somewhere: bool


@dataclass(frozen=True, slots=True)
class Bell:
    """How many notifications wait to be read."""

    unread: int

    @property
    def text(self) -> str:
        """The number, short enough for the bell."""
        return (
            f"{selectors.MOST_UNREAD - 1}+"
            if self.unread >= selectors.MOST_UNREAD
            else str(self.unread)
        )


def bell_context(request: HttpRequest) -> dict[str, Callable[[], Bell]]:
    """Let every template ask for the bell (a context processor); only those that do cost the query."""
    return {"bell": partial(_bell_of, request)}


@require_safe
def bell(request: HttpRequest) -> HttpResponse:
    """Answer the bell for a page that shows ``unread``; 204 if that is still so."""
    now = _bell_of(request)
    if request.GET.get("unread") == str(now.unread):
        return HttpResponse(status=204)
    return TemplateResponse(request, "accounts/_bell.html", {"bell": now})


@require_safe
def notification_list(request: HttpRequest) -> HttpResponse:
    """List what the person was told, newest first, a page at a time."""
    before = _before(request)
    try:
        rows = selectors.notifications_for(request.user, before=before, limit=_A_PAGE + 1)
    except NotificationNotFoundError as error:
        raise Http404 from error
    shown = rows[:_A_PAGE]
    context: dict[str, Any] = {
        "rows": [_present(row) for row in shown],
        "is_first_page": before is None,
        "newest": shown[0].public_id if shown else None,
        "older": shown[-1].public_id if len(rows) > _A_PAGE else None,
    }
    return TemplateResponse(request, "accounts/notifications.html", context)


@require_POST
def follow(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Mark a notification as read and lead to what it is about."""
    notification = _read(request, public_id)
    return redirect(notification.path or "notifications:list")


@require_POST
def mark_read(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Mark a notification as read and stay."""
    _read(request, public_id)
    return redirect("notifications:list")


@require_POST
def mark_all_read(request: HttpRequest) -> HttpResponse:
    """Mark as read everything that the page showed, and all that is older."""
    try:
        newest = UUID(request.POST.get("newest", ""))
        notifications.mark_all_read(owner=request.user, newest=newest, now=timezone.now())
    except (ValueError, NotificationNotFoundError) as error:
        raise Http404 from error
    return redirect("notifications:list")


def _bell_of(request: HttpRequest) -> Bell:
    return Bell(selectors.unread_count(request.user))


def _before(request: HttpRequest) -> UUID | None:
    named = request.GET.get("before")
    try:
        return UUID(named) if named else None
    except ValueError as error:
        raise Http404 from error


def _read(request: HttpRequest, public_id: UUID) -> Notification:
    try:
        return notifications.mark_read(owner=request.user, public_id=public_id, now=timezone.now())
    except NotificationNotFoundError as error:
        raise Http404 from error


def _present(row: Notification) -> Told:
    tone, icon = _APPEARANCE[NotificationLevel(row.level)]
    return Told(
        public_id=row.public_id,
        title=row.title,
        body=row.body,
        kind=row.get_kind_display(),
        tone=tone,
        icon=icon,
        told_at=row.created_at,
        is_unread=row.read_at is None,
        leads_somewhere=bool(row.path),
    )
