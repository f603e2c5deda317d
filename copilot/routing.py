"""Addresses of the WebSockets; `copilot.asgi` puts the origin check and the session around them."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from copilot.consumers import BellConsumer, IncidentConsumer, IncidentListConsumer

websocket_urlpatterns = [
    path("ws/bell/", BellConsumer.as_asgi()),
    path("ws/incidents/", IncidentListConsumer.as_asgi()),
    path("ws/incidents/<int:incident_id>/", IncidentConsumer.as_asgi()),
]
# A page of another site, no page at all, or nobody signed in is refused before the socket opens.
websocket_application = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
