"""Addresses of the incidents app: where telemetry, alerts and changes come in, and its pages."""

from django.urls import path

from incidents import api, webhooks
from incidents.views import trends, trends_export

urlpatterns = [
    path("trends/", trends.trends, name="trends"),
    path("trends/recurring/", trends.recurring, name="trends-recurring"),
    path("trends/noise/", trends.noise, name="trends-noise"),
    path("trends/people/", trends.people, name="trends-people"),
    path("trends/incidents/", trends.incidents_behind, name="trends-incidents"),
    path("trends/report/", trends.report, name="trends-report"),
    path("trends/export/<slug:table>.csv", trends_export.export, name="trends-export"),
    path("v1/traces", api.traces, name="otlp-traces"),
    path("v1/logs", api.logs, name="otlp-logs"),
    path("v1/metrics", api.metrics, name="otlp-metrics"),
    path("in/", webhooks.deliver, name="deliver"),
    path("in/<str:token>", webhooks.deliver, name="deliver-by-address"),
    path("v2/enqueue", webhooks.pagerduty_event, name="pagerduty-event"),
    path("v2/change/enqueue", webhooks.pagerduty_change, name="pagerduty-change"),
]
