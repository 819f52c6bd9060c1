"""The page that changes a deployment."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from foundation.http import actor_of
from market.errors import NotFoundError, PlatformError
from trading.domain.trading_states import key_of_deployment
from trading.models import Deployment
from trading.selectors import deployments as selectors
from trading.selectors import limits
from trading.services import changes
from trading.web.change_forms import ChangeForm


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show what is in force, or change it and go back to the deployment's page."""
    deployment = _deployment_or_404(request, public_id)
    revision = selectors.revision_of(deployment)
    limited = limits.find_limits_for(request.user, key=key_of_deployment(deployment.pk))
    if request.method == "POST":
        schema = deployment.strategy_version.parameters_schema
        form = ChangeForm(request.POST, schema=schema, limits=limited)
        if form.is_valid() and _change(request, deployment, form):
            messages.success(request, "Changed. Other parameters hold from the next bar on.")
            return redirect("trading:detail", public_id=public_id)
    else:
        form = ChangeForm.of(deployment, revision, limits=limited)
    context = {
        "form": form,
        "deployment": deployment,
        "strategy": deployment.strategy_version.strategy,
        "revision": revision,
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "trading/change.html", context, status=status)


def _change(request: HttpRequest, deployment: Deployment, form: ChangeForm) -> bool:
    """Change the deployment, or put the problems into the form."""
    try:
        changes.change(
            owner=request.user,
            deployment_public_id=deployment.public_id,
            by=actor_of(request),
            now=timezone.now(),
            **form.wish(),
        )
    except PlatformError as error:
        form.add_problems(error)
        return False
    return True


def _deployment_or_404(request: HttpRequest, public_id: UUID) -> Deployment:
    try:
        return selectors.get_deployment_for(request.user, public_id=public_id)
    except NotFoundError as error:
        raise Http404 from error
