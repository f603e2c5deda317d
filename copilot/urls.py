"""Every address of the site; each app names its own."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from copilot import health
from copilot.views import board, chat, door, incident

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", door.SignIn.as_view(), name="login"),
    path("logout/", door.SignOut.as_view(), name="logout"),
    path("sign-in/<str:token>/", door.sign_in_link, name="sign-in"),
    path("account/", door.account, name="account"),
    path("account/choose/", door.choose, name="account-choose"),
    path("", RedirectView.as_view(pattern_name="incident-list"), name="home"),
    path("incidents/", board.incident_list, name="incident-list"),
    path("incidents/<int:pk>/", incident.incident_page, name="incident-page"),
    path("incidents/<int:pk>/part/<slug:part>/", incident.incident_part, name="incident-part"),
    path("incidents/<int:pk>/events/", incident.incident_events, name="incident-events"),
    path("incidents/<int:pk>/evidence/<str:evidence_id>/", incident.evidence_page, name="evidence-page"),
    path("incidents/<int:pk>/ask/", chat.ask, name="ask"),
    path("incidents/<int:pk>/explain/", chat.explain, name="explain"),
    path("incidents/<int:pk>/messages/<int:message_id>/", chat.message, name="message"),
    path("incidents/<int:pk>/messages/<int:message_id>/retry/", chat.retry, name="retry"),
    path("incidents/<int:pk>/do/<slug:verb>/", incident.incident_action, name="incident-action"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("", include("incidents.urls")),
    path("runbooks/", include("runbooks.urls")),
]
