"""The public front page and the dashboard."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    """Tell a stranger what this is; take a signed-in person to the dashboard."""
    if request.user.is_authenticated:
        return redirect("web:dashboard")
    return TemplateResponse(request, "web/home.html")


def dashboard(request: HttpRequest) -> HttpResponse:
    """Show a person's deployments, positions and latest backtests."""
    return TemplateResponse(request, "web/dashboard.html")
