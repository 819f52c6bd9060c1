"""Figures for Prometheus; nothing here for anybody else."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from foundation.metrics.access import may_read
from foundation.metrics.exposition import CONTENT_TYPE
from web import metrics


@login_not_required
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """Answer the bearer of ``METRICS_TOKEN``, or without one this machine alone; others find no page."""
    if not may_read(
        authorization=request.headers.get("Authorization", ""),
        peer=request.META.get("REMOTE_ADDR", ""),
        is_forwarded="X-Forwarded-For" in request.headers,
    ):
        raise Http404
    return HttpResponse(metrics.render(now=timezone.now()), content_type=CONTENT_TYPE)
