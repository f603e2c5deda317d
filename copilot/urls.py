"""Every address of the site; each app names its own."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.generic import RedirectView

from copilot import health
from copilot.api.site import addresses as api_addresses
from copilot.views import (
    attachments,
    audit,
    board,
    briefs,
    cause,
    chat,
    citation,
    comparison,
    door,
    incident,
    models,
    operations,
    people,
    running,
    saved_views,
    tokens,
    unmasking,
)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", door.SignIn.as_view(), name="login"),
    path("logout/", door.SignOut.as_view(), name="logout"),
    path("sign-in/<str:token>/", door.sign_in_link, name="sign-in"),
    path("account/", door.account, name="account"),
    path("account/choose/", door.choose, name="account-choose"),
    path("", RedirectView.as_view(pattern_name="incident-list"), name="home"),
    path("incidents/", board.incident_list, name="incident-list"),
    path("views/", saved_views.save_view, name="view-save"),
    path("views/<int:pk>/remove/", saved_views.remove_view, name="view-remove"),
    path("incidents/<int:pk>/board/<slug:verb>/", board.board_action, name="board-action"),
    path("incidents/<int:pk>/", incident.incident_page, name="incident-page"),
    path("incidents/<int:pk>/part/<slug:part>/", incident.incident_part, name="incident-part"),
    path("incidents/<int:pk>/events/", incident.incident_events, name="incident-events"),
    path("incidents/<int:pk>/evidence/<str:evidence_id>/", incident.evidence_page, name="evidence-page"),
    path("incidents/<int:pk>/ask/", chat.ask, name="ask"),
    path("incidents/<int:pk>/explain/", chat.explain, name="explain"),
    path(
        "attachments/<int:pk>/", attachments.attach, name="attach"
    ),  # outside incidents/: longer bodies are taken here
    path("incidents/<int:pk>/files/<str:name>/", attachments.attachment_page, name="attachment"),
    path("incidents/<int:pk>/messages/<int:message_id>/", chat.message, name="message"),
    path("incidents/<int:pk>/messages/<int:message_id>/retry/", chat.retry, name="retry"),
    path("incidents/<int:pk>/messages/<int:message_id>/compare/", comparison.comparison_page, name="comparison"),
    path("incidents/<int:pk>/messages/<int:message_id>/again/", comparison.run_again, name="run-again"),
    path("incidents/<int:pk>/messages/<int:message_id>/withdraw/", chat.withdraw, name="withdraw"),
    path("incidents/<int:pk>/messages/<int:message_id>/steer/", chat.steer, name="steer"),
    path("incidents/<int:pk>/messages/<int:message_id>/stop/", chat.stop, name="stop"),
    path("incidents/<int:pk>/claims/<int:claim_id>/judge/", chat.judge, name="judge"),
    path("incidents/<int:pk>/citation/<str:evidence_id>/", citation.citation, name="citation"),
    path("incidents/<int:pk>/unmask/", unmasking.unmask, name="unmask"),
    path("incidents/<int:pk>/do/<slug:verb>/", incident.incident_action, name="incident-action"),
    path("incidents/<int:pk>/change/", running.change_page, name="incident-change"),
    path("incidents/<int:pk>/change/<slug:what>/", running.change, name="incident-set"),
    path("incidents/<int:pk>/cause/", cause.cause_page, name="incident-cause"),
    path("incidents/<int:pk>/lessons/<int:lesson_id>/", cause.lesson, name="incident-lesson"),
    path("incidents/<int:pk>/merge/", running.merge, name="incident-merge"),
    path("incidents/<int:pk>/undo/<int:decision_id>/", running.undo, name="incident-undo"),
    path("incidents/<int:pk>/role/<slug:verb>/", running.role, name="incident-role"),
    path("incidents/<int:pk>/task/<int:task_id>/", running.task, name="incident-task"),
    path("incidents/<int:pk>/watch/", running.watch, name="incident-watch"),
    path("incidents/<int:pk>/briefs/", briefs.briefs_page, name="incident-briefs"),
    path("incidents/<int:pk>/briefs/publish/", briefs.publish_update, name="incident-publish"),
    path("settings/", login_required(RedirectView.as_view(pattern_name="tokens")), name="settings"),
    path("settings/people/", people.people_list, name="people"),
    path("settings/people/add/", people.person_add, name="person-add"),
    path("settings/people/<int:pk>/link/", people.person_link, name="person-link"),
    path("settings/people/<int:pk>/change/", people.person_change, name="person-change"),
    path("settings/people/<int:pk>/deactivate/", people.person_deactivate, name="person-deactivate"),
    path("settings/people/<int:pk>/reactivate/", people.person_reactivate, name="person-reactivate"),
    path("settings/audit/", audit.audit_page, name="audit"),
    path("settings/models/", models.model_page, name="models"),
    path("settings/tokens/", tokens.token_list, name="tokens"),
    path("settings/tokens/create/", tokens.token_create, name="token-create"),
    path("settings/tokens/<int:pk>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("settings/operations/", operations.operations_page, name="operations"),
    path("settings/operations/<int:pk>/retry/", operations.dead_letter_retry, name="dead-letter-retry"),
    path("api/v1/", api_addresses()),
    path("metrics", operations.metrics, name="metrics"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("", include("incidents.urls")),
    path("runbooks/", include("runbooks.urls")),
]

handler500 = "copilot.views.failures.failed"
