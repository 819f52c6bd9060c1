"""The operators' list of products."""

from django.contrib import admin

from billing.models import Product
from foundation.admin import ReadOnlyAdmin


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """What people can have a right to."""

    list_display = ("code", "name", "kind", "is_active", "created_at")
    list_filter = ("kind", "is_active")
    search_fields = ("code", "name", "public_id")
    ordering = ("code",)
