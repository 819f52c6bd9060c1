"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from foundation.crypto.rings import FIELD_RING, open_rings_at_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

application = get_wsgi_application()
open_rings_at_start(FIELD_RING)
