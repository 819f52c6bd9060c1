"""The first page of the operators."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from web.operations import summary
from web.operations.presenters import present


def fill_summary(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return *context* of the admin's first page with the summary, for those who may look at the audit log.

    Staff with fewer permissions find the lists that they may see in the menu.
    """
    if request.user.has_perm("foundation.view_auditentry"):
        context["page"] = present(summary.gather(now=timezone.now()))
    context["title"] = "Summary"
    return context
