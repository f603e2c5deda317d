"""Ready-made configuration for each sender; {host} is this site's address, {token} the source's."""

from collections.abc import Mapping

ALERTMANAGER = """\
# alertmanager.yml
receivers:
  - name: copilot
    webhook_configs:
      - url: {host}/in/
        send_resolved: true
        http_config:
          authorization: {{ type: Bearer, credentials: {token} }}
route:
  routes:
    - receiver: copilot
      continue: true   # everybody who gets alerts now still does
"""
GRAFANA = """\
# Alerting → Contact points → Add: Webhook
URL                            {host}/in/
HTTP method                    POST
Authorization header: scheme   Bearer
Authorization header: token    {token}

# With a signing secret: HMAC signature
Secret                         the signing secret of this source
Header                         X-Grafana-Alerting-Signature
Timestamp header               X-Grafana-Alerting-Timestamp
"""
PAGERDUTY = """\
# Whatever sends PagerDuty events: change the host, and take this as routing key (integration key)
curl -X POST {host}/v2/enqueue -H 'Content-Type: application/json' -d '{{
  "routing_key": "{token}",
  "event_action": "trigger",
  "dedup_key": "try-me",
  "payload": {{ "summary": "A first alert", "source": "my-laptop", "severity": "info" }}
}}'
"""
GENERIC = """\
curl -X POST {host}/in/ -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{
  "name": "QueueGrows", "status": "firing", "severity": "warning",
  "service": "orders", "summary": "The queue has grown for ten minutes"
}}'
"""
GENERIC_CHANGE = """\
curl -X POST {host}/in/ -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{
  "service": "payments", "version": "2.14.0", "environment": "production",
  "title": "Deploy payments 2.14.0", "status": "succeeded", "id": "deploy-1871"
}}'
"""
GITHUB = """\
# Repository → Settings → Webhooks → Add webhook
Payload URL    {host}/in/{token}
Content type   application/json
Secret         the signing secret of this source, if it has one
Events         Deployments, Deployment statuses
"""
GITLAB = """\
# Project → Settings → Webhooks → Add new webhook
URL            {host}/in/
Secret token   {token}
Trigger        Deployment events
"""
ARGOCD = """\
# ConfigMap argocd-notifications-cm
service.webhook.copilot: |
  url: {host}/in/
  headers:
    - {{ name: Authorization, value: Bearer {token} }}
    - {{ name: Content-Type, value: application/json }}
template.copilot-sync: |
  webhook:
    copilot:
      method: POST
      body: '{{"app": {{{{toJson .app}}}}, "link": "{{{{.context.argocdUrl}}}}/applications/{{{{.app.metadata.name}}}}"}}'
trigger.copilot: |
  - when: app.status.operationState.phase in ['Running', 'Succeeded', 'Failed', 'Error']
    oncePer: app.status.operationState.startedAt + app.status.operationState.phase
    send: [copilot-sync]
"""
SNIPPETS: Mapping[str, str] = {
    "alertmanager": ALERTMANAGER,
    "grafana": GRAFANA,
    "pagerduty": PAGERDUTY,
    "generic": GENERIC,
    "generic-change": GENERIC_CHANGE,
    "github": GITHUB,
    "gitlab": GITLAB,
    "argocd": ARGOCD,
}
NO_TOKEN = "THE-TOKEN"  # noqa: S105 - what stands for one that is not shown again


def snippet(kind: str, *, host: str, token: str) -> str:
    """Return the configuration of a sender of this kind. `host` is scheme and host; an empty token leaves a place for it."""
    return SNIPPETS[kind].format(host=host, token=token or NO_TOKEN)
