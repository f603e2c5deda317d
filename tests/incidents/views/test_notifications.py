import pytest
from django.test import Client

from incidents import lifecycle, tasks, teamwork
from incidents.models import Notification, NotificationChannel, OutboxMessage, TimelineEntry
from tests.cast import person
from tests.incidents.alerting import alert, at, source

pytestmark = pytest.mark.django_db


def test_who_follows_a_service_is_told_once_and_not_of_what_they_did_themselves(client: Client) -> None:
    mira, jonas, vera = person("mira", "responder"), person("jonas", "responder"), person("vera", "viewer")
    for user, service, level in ((mira, "payments", 4), (jonas, "", 2), (vera, "warehouse", 4)):
        teamwork.watch(user, service=service, at_least_severity=level, now=at(0))
    incident = lifecycle.open_for_alerts([alert(severity=2)], now=at(5))
    lifecycle.acknowledge(incident, by="mira", now=at(9))
    asked = OutboxMessage.objects.filter(task="incidents.tasks.notify_watchers")
    for message in asked:
        entry = TimelineEntry.objects.get(pk=message.arguments[0])
        for _ in range(2):
            teamwork.notify_watchers(entry, now=at(10))
    told = {user.username: Notification.objects.filter(user=user).count() for user in (mira, jonas, vera)}
    assert told == {"mira": 1, "jonas": 2, "vera": 0}
    client.force_login(jonas)
    assert "2 unread" in client.get("/notifications/").content.decode()
    assert ", 2 unread" in client.get("/notifications/unread/").content.decode()
    client.post("/notifications/read/")
    assert "unread" not in client.get("/notifications/unread/").content.decode().replace("notifications/unread", "")


def test_those_who_set_sources_up_are_told_that_one_floods(client: Client) -> None:
    sara, mira = person("sara", "SRE"), person("mira", "responder")
    flooding = source("Shop")
    tasks.tell_of_flood(flooding.pk)
    assert list(Notification.objects.values_list("user", "source")) == [(sara.pk, flooding.pk)]
    client.force_login(sara)
    page = client.get("/notifications/").content.decode()
    assert "Shop sends more than 600 deliveries a minute" in page
    assert f'href="/settings/sources/{flooding.pk}/"' in page
    client.force_login(mira)
    assert "Shop sends more" not in client.get("/notifications/").content.decode()


def test_watches_and_channels_are_a_persons_own(client: Client) -> None:
    mira, jonas = person("mira", "responder"), person("jonas", "responder")
    client.force_login(mira)
    client.post("/notifications/watches/add/", {"service": "payments", "severity": "2"})
    watch = mira.watches.get()
    client.force_login(jonas)
    assert client.post(f"/notifications/watches/{watch.pk}/remove/").status_code == 404
    refused = client.post(
        "/notifications/channels/add/", {"kind": "webhook", "target": "http://10.0.0.5/x"}, follow=True
    )
    assert "COPILOT_NOTIFY_HOSTS" in refused.content.decode()
    assert not NotificationChannel.objects.exists()
