"""The way in for those who are not signed in: links that prove an address."""

from typing import Any

from allauth.account.views import ConfirmEmailView as BaseConfirmEmailView
from allauth.core import ratelimit
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from accounts.services import addresses
from accounts.web.forms import SendLinkForm


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def send_link(request: HttpRequest) -> HttpResponse:
    """Send the link that proves an address again; the answer is the same whether anybody waits for it."""
    form = SendLinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        refusal: HttpResponse | None = ratelimit.consume_or_429(
            request, action="send_link", key=email
        )
        if refusal is not None:
            return refusal
        addresses.resend_link(email=email)
        return redirect("account_email_verification_sent")
    status = 422 if form.errors else 200
    return TemplateResponse(request, "accounts/send_link.html", {"form": form}, status=status)


@method_decorator(login_not_required, name="dispatch")
class ConfirmEmailView(BaseConfirmEmailView):  # type: ignore[misc]  # the library ships no types
    """Ask whether an address is the reader's; a link that is no good leads to a new one, whatever is wrong."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Confirm the address."""
        try:
            response: HttpResponse = super().post(*args, **kwargs)
        except Http404:
            self.object = None
            response = self.render_to_response(self.get_context_data())
        return response
