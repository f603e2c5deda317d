"""Addresses of the incidents app: where telemetry comes in."""

from django.urls import path

from incidents import api

urlpatterns = [
    path("v1/traces", api.traces, name="otlp-traces"),
    path("v1/logs", api.logs, name="otlp-logs"),
    path("v1/metrics", api.metrics, name="otlp-metrics"),
]
