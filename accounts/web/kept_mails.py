"""Mails that no server took, for whoever tries the platform on their own machine."""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from typing import Any, Final

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.adapters import mail_folder
from accounts.adapters.mail_folder import KeptMail

View = Callable[..., HttpResponseBase]

#: A mail brings its own styles and nothing else; its links open outside of its frame.
_MAIL_POLICY: Final = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}


def _on_this_machine(view: View) -> View:
    """Hide *view* from everybody but this machine: mails hold links that sign people in."""

    @wraps(view)
    def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not ip_address(request.META["REMOTE_ADDR"]).is_loopback:
            raise Http404
        return view(request, **kwargs)

    return wrapper


@login_not_required
@require_safe
@_on_this_machine
def mail_list(request: HttpRequest) -> HttpResponse:
    """List the mails, newest first."""
    context = {"mails": mail_folder.kept_mails(), "most": mail_folder.MOST_MAILS}
    return TemplateResponse(request, "accounts/kept_mails.html", context)


@login_not_required
@require_safe
@_on_this_machine
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """Show one mail: its text with links, and how its HTML looks."""
    return TemplateResponse(request, "accounts/kept_mail.html", {"mail": _mail_or_404(name)})


@login_not_required
@require_safe
@_on_this_machine
@xframe_options_sameorigin
@csp_replace(_MAIL_POLICY)  # type: ignore[arg-type]  # the library knows no views with arguments
def mail_as_html(request: HttpRequest, name: str) -> HttpResponse:
    """Answer the HTML of one mail, to be shown in a frame."""
    return HttpResponse(_mail_or_404(name).html)


def _mail_or_404(name: str) -> KeptMail:
    found = mail_folder.find_kept_mail(name)
    if found is None:
        raise Http404
    return found
