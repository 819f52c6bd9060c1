"""Who may read figures: the bearer of the token, or, where there is no token, this machine alone."""

import hmac
from ipaddress import ip_address

from django.conf import settings


def may_read(*, authorization: str, peer: str, is_forwarded: bool) -> bool:
    """Tell whether a reader may see the figures.

    ``peer`` is the address at the other end of the connection. A forwarded request comes from somewhere else than its
    peer, so without a token it is refused even if a proxy on this machine sent it.
    """
    if settings.METRICS_TOKEN:
        expected = f"Bearer {settings.METRICS_TOKEN}"
        return hmac.compare_digest(authorization.encode(), expected.encode())
    return not is_forwarded and _is_loopback(peer)


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
