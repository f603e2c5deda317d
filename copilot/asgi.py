"""What the web server runs: pages and intake over HTTP, live pages over WebSockets."""

import os
from typing import cast

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot.settings")
pages = get_asgi_application()  # loads the apps, which the routing needs

from copilot.body_limit import Application, BodyLimit  # noqa: E402
from copilot.routing import websocket_application  # noqa: E402
from copilot.telemetry_intake import TelemetryIntake  # noqa: E402
from incidents.intake.alerts import MOST_BYTES  # noqa: E402

FORM_BYTES = 4 * 1024 * 1024  # a long runbook
UPLOAD_BYTES = 32 * 1024 * 1024  # 100,000 long log lines
LIMITS = {"/v1/": settings.OTLP_MAX_BYTES, "/in/": MOST_BYTES, "/v2/": MOST_BYTES, "/attachments/": UPLOAD_BYTES}

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(TelemetryIntake(cast(Application, pages)), limits=LIMITS, otherwise=FORM_BYTES),
        "websocket": websocket_application,
    }
)
