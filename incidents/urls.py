"""Addresses of the incidents app: where telemetry, alerts and changes come in, and its pages."""

from django.urls import path

from incidents import api, webhooks

urlpatterns = [
    path("v1/traces", api.traces, name="otlp-traces"),
    path("v1/logs", api.logs, name="otlp-logs"),
    path("v1/metrics", api.metrics, name="otlp-metrics"),
    path("in/", webhooks.deliver, name="deliver"),
    path("in/<str:token>", webhooks.deliver, name="deliver-by-address"),
    path("v2/enqueue", webhooks.pagerduty_event, name="pagerduty-event"),
    path("v2/change/enqueue", webhooks.pagerduty_change, name="pagerduty-change"),
]
