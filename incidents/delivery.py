"""Notifications on their way out: e-mail through the configured server, webhooks to hosts that an administrator listed. At most once each."""

import base64
import hashlib
import hmac
import ipaddress
import json
import smtplib
import socket
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db.models import F
from django.utils.crypto import salted_hmac

from incidents.lifecycle import NotPossible
from incidents.models import Notification, NotificationChannel

ATTEMPTS = 3
PAUSE = timedelta(minutes=1)  # doubled after each failure
LOST_AFTER = timedelta(minutes=10)
CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 10.0
FAILURE_LENGTH = 300
TARGET_LENGTH = 500
# Where nothing of ours may call, whoever listed it: the link-local range holds the clouds' metadata services.
_NEVER = [
    ipaddress.ip_network(net)
    for net in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::254/128",
        "100.100.100.200/32",
        "0.0.0.0/8",
        "224.0.0.0/4",
        "ff00::/8",
    )
]


class NotDelivered(Exception):
    """A notification did not arrive. `is_certain` says that the other side has not got it, so that trying again repeats nothing."""

    def __init__(self, reason: str, *, is_certain: bool) -> None:
        super().__init__(reason)
        self.reason, self.is_certain = reason, is_certain


def check_target(kind: str, target: str) -> str:
    """Return the target as it is kept. Raises NotPossible for what is no address, or a webhook's host that is not listed."""
    words = target.strip()[:TARGET_LENGTH]
    if kind == NotificationChannel.Kind.EMAIL:
        try:
            validate_email(words)
        except ValidationError as error:
            raise NotPossible(f"“{words[:80]}” is not an e-mail address.") from error
        if not settings.EMAIL_HOST:
            raise NotPossible("No mail server is set up. An administrator names one with COPILOT_EMAIL_URL.")
        return words
    if kind != NotificationChannel.Kind.WEBHOOK:
        raise NotPossible(f"Channel {kind!r} does not exist; there are {', '.join(NotificationChannel.Kind.values)}.")
    _listed(words)
    return words


def deliver(notification_id: int, *, now: datetime) -> bool:
    """Send one notification's copy to its channel if it is due; return whether it went.

    It is claimed by a conditional UPDATE before anything is sent, so that a task that runs twice, or a worker that dies, sends it at most once.
    What certainly did not arrive is tried three times in all.
    """
    claimed = Notification.objects.filter(
        pk=notification_id, sent_at=None, try_at__lte=now, attempts__lt=ATTEMPTS, channel__isnull=False
    ).update(attempts=F("attempts") + 1, try_at=None, failure="")
    if not claimed:
        return False
    notification = Notification.objects.select_related("channel", "incident", "source", "user").get(pk=notification_id)
    try:
        _send(notification)
    except NotDelivered as error:
        again = error.is_certain and notification.attempts < ATTEMPTS
        Notification.objects.filter(pk=notification_id).update(
            failure=error.reason[:FAILURE_LENGTH],
            try_at=now + PAUSE * 2 ** (notification.attempts - 1) if again else None,
        )
        return False
    Notification.objects.filter(pk=notification_id).update(sent_at=now)
    return True


def due(*, now: datetime) -> list[int]:
    """Return what is to be sent now, and mark what a worker took and never finished: nobody knows whether that arrived."""
    Notification.objects.filter(
        channel__isnull=False, sent_at=None, try_at=None, attempts__gt=0, failure="", created_at__lt=now - LOST_AFTER
    ).update(failure="The worker ended while sending, so it may or may not have arrived. It is not sent again.")
    return list(Notification.objects.filter(try_at__lte=now).order_by("try_at").values_list("pk", flat=True)[:200])


def signing_key(channel: NotificationChannel) -> str:
    """Return the secret that a channel's webhooks are signed with, as Standard Webhooks writes one."""
    digest = salted_hmac("incidents.delivery", f"{channel.pk} {channel.target}", algorithm="sha256").digest()
    return f"whsec_{base64.b64encode(digest).decode()}"


def _send(notification: Notification) -> None:
    channel = notification.channel
    if channel is None:
        raise NotDelivered("The channel was deleted.", is_certain=False)
    if channel.kind == NotificationChannel.Kind.EMAIL:
        _email(notification, channel)
    else:
        _webhook(notification, channel)


def _email(notification: Notification, channel: NotificationChannel) -> None:
    about = notification.incident.reference if notification.incident else "Co-pilot"
    subject = " ".join(f"[{about}] {notification.text}".split())[:150]
    message = EmailMessage(
        subject=subject, body=f"{notification.text}\n\n{_address(notification)}\n", to=[channel.target]
    )
    try:
        message.send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPAuthenticationError) as error:
        raise NotDelivered(f"The mail server refused it: {error}", is_certain=False) from error
    except (ConnectionRefusedError, socket.gaierror) as error:
        where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        raise NotDelivered(f"The mail server {where} cannot be reached: {error}", is_certain=True) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"The mail server failed on the way: {error}", is_certain=False) from error


def _webhook(notification: Notification, channel: NotificationChannel) -> None:
    """POST the notification, signed as Standard Webhooks does (https://www.standardwebhooks.com), to the address that was resolved and checked."""
    host, port, address = _resolved(channel.target)
    body = json.dumps(_told(notification)).encode()
    parts = urlsplit(channel.target)
    shown = f"[{address}]" if ":" in address else address
    # The connection goes to the checked address; the name stays in Host and in TLS.
    url = parts._replace(netloc=f"{shown}:{port}").geturl()
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        **_signature(notification, channel, body),
    }
    timeout = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers, extensions={"sni_hostname": host}) as answer,
        ):
            status = answer.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotDelivered(f"{host} cannot be reached: {error}", is_certain=True) from error
    except httpx.HTTPError as error:
        raise NotDelivered(
            f"{host} did not answer within {TOTAL_SECONDS:.0f} s: {type(error).__name__}", is_certain=False
        ) from error
    if not 200 <= status < 300:
        raise NotDelivered(f"{host} answered {status}.", is_certain=status in (429, 502, 503, 504))


def _told(notification: Notification) -> dict[str, Any]:
    incident, source = notification.incident, notification.source
    about: dict[str, Any] = {"source": source.name} if source else {}
    if incident is not None:
        about = {
            "incident": incident.reference,
            "title": incident.title,
            "severity": incident.severity,
            "status": incident.status,
        }
    return {
        "type": "incident.notification" if incident else "source.notification",
        "timestamp": notification.created_at.isoformat(),
        "data": {**about, "text": notification.text, "url": _address(notification)},
    }


def _signature(notification: Notification, channel: NotificationChannel, body: bytes) -> dict[str, str]:
    identity = f"msg_{notification.pk}"
    moment = str(int(notification.created_at.timestamp()))
    key = base64.b64decode(signing_key(channel).removeprefix("whsec_"))
    signed = hmac.new(key, f"{identity}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def _listed(target: str) -> tuple[str, int]:
    """Return host and port of a webhook's address. Raises NotPossible unless COPILOT_NOTIFY_HOSTS lists them."""
    try:
        parts = urlsplit(target)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise NotPossible(f"“{target[:80]}” is not an address.") from error
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or parts.username:
        raise NotPossible(f"“{target[:80]}” is not an address such as https://hooks.example.com/incidents.")
    if host not in settings.NOTIFY_HOSTS and f"{host}:{port}" not in settings.NOTIFY_HOSTS:
        raise NotPossible(
            f"{host}:{port} is not among the hosts that webhooks may go to. An administrator adds it to COPILOT_NOTIFY_HOSTS."
        )
    return host, port


def _resolved(target: str) -> tuple[str, int, str]:
    """Return host, port and one checked address of the host: what was checked is what is called, whatever the name says a moment later."""
    try:
        host, port = _listed(target)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except NotPossible as error:
        raise NotDelivered(str(error), is_certain=False) from error
    except OSError as error:
        raise NotDelivered(f"{urlsplit(target).hostname} is not known: {error}", is_certain=True) from error
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if any(mapped in net for net in _NEVER if net.version == mapped.version):
            raise NotDelivered(f"{host} leads to {address}, where webhooks never go.", is_certain=False)
    return host, port, str(found[0][4][0])


def _address(notification: Notification) -> str:
    return f"{settings.PUBLIC_URL}{notification.path}"
