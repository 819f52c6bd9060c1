"""The JSON API of what a person was told."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers, presenters
from accounts.api.serializers import ReadSerializer
from accounts.selectors import notifications as selectors
from accounts.services import notifications
from foundation import pagination, schema
from foundation.scopes import PERSON


class Notifications(APIView):
    """What a person was told."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by(
                "unread", "Only those that are (not) unread.", values=("true", "false")
            ),
        ],
        responses=schema.page_of(answers.NotificationSerializer),
    )
    def get(self, request: Request) -> Response:
        """List notifications, newest first."""
        unread = pagination.flag_parameter(request, "unread")
        return pagination.page_response(
            request,
            lambda named, limit: selectors.notifications_below(
                request.user, below=pagination.key_of(named), limit=limit, unread=unread
            ),
            name_of=lambda told: str(told.pk),
            present=presenters.present_notification,
            filters=("unread",),
        )


class ReadNotifications(APIView):
    """Reading everything that was shown."""

    required_scope = PERSON

    @extend_schema(request=ReadSerializer, responses=answers.MarkedSerializer)
    def post(self, request: Request) -> Response:
        """Mark everything up to a notification as read; what came after it stays unread."""
        serializer = ReadSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        marked = notifications.mark_all_read(
            owner=request.user, newest=serializer.validated_data["newest"], now=timezone.now()
        )
        return Response({"marked": marked})


class ReadNotification(APIView):
    """Reading one notification."""

    required_scope = PERSON

    @extend_schema(request=None, responses=answers.NotificationSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Mark a notification as read."""
        told = notifications.mark_read(owner=request.user, public_id=public_id, now=timezone.now())
        return Response(presenters.present_notification(told))
