"""What operators do to rows of others: each deed asks first, calls one service and tells what came of it.

A deed is declared once and offered twice: above the page of a row, and for the chosen rows of a list. The
service writes the audit row in its own transaction, which is why a deed is no action of Django's, whose
pages open one around everything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from foundation.admin.base import ReadOnlyAdmin
from foundation.audit import Actor
from market.errors import PlatformError

#: More rows than this are not a matter of one click.
_ROWS_AT_MOST: Final = 100

#: Does it to one row; values of the form come third. Returns what to tell, or None for the usual words.
Perform = Callable[[Any, Actor, Mapping[str, Any]], str | None]


def _always(row: Any) -> bool:
    return True


def _no_initial(row: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that an operator may do to a row; ``permission`` is written ``accounts.change_user``.

    ``label`` is on the button, ``done`` says afterwards what the row is now, ``text`` says before what will happen.
    ``perform`` gets the row, the actor and the values of ``form``; ``initial`` fills the form for one row.
    ``applies_to`` tells for which rows it is offered; the service refuses the others anyway.
    ``for_list`` False offers it on the page of a row only.
    """

    name: str
    label: str
    done: str
    text: str
    permission: str
    perform: Perform
    form: type[forms.Form] | None = None
    initial: Callable[[Any], Mapping[str, Any]] = _no_initial
    applies_to: Callable[[Any], bool] = _always
    for_list: bool = True
    is_dangerous: bool = False


@dataclass(frozen=True, slots=True)
class DeedButton:
    """A deed above the page of a row."""

    label: str
    url: str
    is_dangerous: bool


class DeedAdmin(ReadOnlyAdmin):
    """A list whose rows operators may do something to."""

    deeds: Sequence[Deed] = ()
    #: Deeds that make something new: offered above the list; ``perform`` gets None for a row.
    deeds_of_list: Sequence[Deed] = ()
    change_form_outer_before_template = "admin/deeds/buttons.html"
    list_before_template = "admin/deeds/buttons.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks before a deed."""
        page = path(
            "deeds/<slug:name>/", self.admin_site.admin_view(self._ask), name=self._url_name()
        )
        return [page, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the deeds that the operator may do."""
        actions = super().get_actions(request)
        for deed in self._allowed(request):
            if deed.for_list:
                actions[deed.name] = (_chosen(deed), deed.name, deed.label)
        return actions

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the row with its deeds above."""
        row = self.get_object(request, object_id)
        buttons = [
            DeedButton(deed.label, self.deed_url(deed.name, [row.pk]), deed.is_dangerous)
            for deed in self._allowed(request)
            if row is not None and deed.applies_to(row)
        ]
        context = {**(extra_context or {}), "deed_buttons": buttons}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list with its deeds above."""
        buttons = [
            DeedButton(deed.label, self.deed_url(deed.name, []), deed.is_dangerous)
            for deed in self.deeds_of_list
            if request.user.has_perm(deed.permission)
        ]
        context = {**(extra_context or {}), "deed_buttons": buttons}
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def deed_url(self, name: str, ids: Sequence[object]) -> str:
        """Return the address that asks before the deed called *name* is done to these rows, or to none."""
        address = reverse(f"admin:{self._url_name()}", args=[name])
        query = urlencode({"ids": ",".join(str(each) for each in ids)})
        return f"{address}?{query}" if ids else address

    def _url_name(self) -> str:
        options = self.model._meta
        return f"{options.app_label}_{options.model_name}_deed"

    def _list_url(self) -> str:
        return reverse(f"admin:{self._url_name().removesuffix('_deed')}_changelist")

    def _allowed(self, request: HttpRequest) -> list[Deed]:
        return [deed for deed in self.deeds if request.user.has_perm(deed.permission)]

    def _ask(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask for one deed to the rows in the address; a POST does it."""
        known = [*self.deeds, *self.deeds_of_list]
        deed = next((each for each in known if each.name == name), None)
        if deed is None:
            raise Http404
        if not request.user.has_perm(deed.permission):
            raise PermissionDenied
        rows = self._rows(request) if deed in self.deeds else [None]
        form = self._form(deed, rows, request)
        if request.method == "POST" and (form is None or form.is_valid()):
            values = form.cleaned_data if form is not None else {}
            done = self._do(request, deed, rows, values)
            if done or form is None:
                return HttpResponseRedirect(self._after(rows))
        context = {
            **self.admin_site.each_context(request),
            "title": deed.label,
            "opts": self.model._meta,
            "deed": deed,
            "rows": [row for row in rows if row is not None],
            "form": form,
            "back_url": self._after(rows),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/deeds/ask.html", context)

    def _rows(self, request: HttpRequest) -> list[Any]:
        ids = [each for each in request.GET.get("ids", "").split(",") if each.isdecimal()]
        if not ids or len(ids) > _ROWS_AT_MOST:
            raise Http404
        rows = list(self.get_queryset(request).filter(pk__in=ids).order_by("pk"))
        if not rows:
            raise Http404
        return rows

    def _form(self, deed: Deed, rows: Sequence[Any], request: HttpRequest) -> forms.Form | None:
        if deed.form is None:
            return None
        if request.method == "POST":
            return deed.form(request.POST)
        return deed.form(initial=dict(deed.initial(rows[0])) if len(rows) == 1 else {})

    def _do(
        self, request: HttpRequest, deed: Deed, rows: Sequence[Any], values: Mapping[str, Any]
    ) -> int:
        """Do it to each row, tell what came of each, and return to how many it was done."""
        actor = Actor.person(request.user.pk or 0)
        done = 0
        for row in rows:
            try:
                told = deed.perform(row, actor, values)
            except PlatformError as error:
                messages.error(request, f"{row}: {error.message}" if row else error.message)
            else:
                done += 1
                messages.success(request, told or f"{row}: {deed.done}.")
        return done

    def _after(self, rows: Sequence[Any]) -> str:
        if len(rows) == 1 and rows[0] is not None:
            return reverse(
                f"admin:{self._url_name().removesuffix('_deed')}_change", args=[rows[0].pk]
            )
        return self._list_url()


def now() -> datetime:
    """Return the instant at which a deed is done; the admin is an entry point."""
    return timezone.now()


def _chosen(deed: Deed) -> Callable[[DeedAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    """Return the action of a list that leads to the page which asks."""

    @admin.action(description=deed.label)
    def lead(
        model_admin: DeedAdmin, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        ids = list(queryset.values_list("pk", flat=True)[: _ROWS_AT_MOST + 1])
        if len(ids) > _ROWS_AT_MOST:
            messages.error(request, f"Choose at most {_ROWS_AT_MOST} rows.")
            return None
        return HttpResponseRedirect(model_admin.deed_url(deed.name, ids))

    return lead
