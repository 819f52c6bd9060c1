"""The operators' pages: what all apps' lists share, and the lists of the foundation's own tables."""

from foundation.admin import lists, site_settings
from foundation.admin.base import ReadOnlyAdmin
from foundation.admin.deeds import Deed, DeedAdmin

__all__ = ("Deed", "DeedAdmin", "ReadOnlyAdmin", "lists", "site_settings")
