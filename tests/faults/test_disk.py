"""Row 27: the database's disk is full: 503 "storage full", reading works, nothing acknowledged is lost, and it recovers by itself."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from copilot.embedded import postgres
from copilot.embedded.child import Child
from tests.faults.line import Line, answer_of
from tests.faults.senders import body, now_firing, wait
from tests.services import ROOT, Run

KIB, MIB = 1024, 1024 * 1024
SIZE_MIB, LEFT_MIB = 220, 5
SIGN_IN = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
c = Client(); c.force_login(User.objects.create_superuser("disk")); print(c.cookies["sessionid"].value)
"""


@pytest.fixture
def small_disk(services: Run) -> Iterator[Path]:
    folder = services.folder / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=755", "small-disk", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here, which only root may: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def line(services: Run, small_disk: Path) -> Iterator[Line]:
    cluster = postgres.prepare(data=small_disk / "postgres", sockets=services.folder / "disk-sockets", durable=True)
    database = Child(postgres.program(cluster), log=services.folder / "small-disk-postgres.log")
    database.start()
    database.wait_until_ready(seconds=60)
    environment = {**os.environ, "DATABASE_URL": cluster.url()}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=180)
    found = Line(services, folder=services.folder / "disk-line", dsn=cluster.url())
    yield found
    found.close()
    database.stop()


@pytest.mark.timeout(300)
def test_a_full_disk_is_said_and_reading_goes_on(line: Line, small_disk: Path) -> None:
    token = line.source()
    cookie = line.python(SIGN_IN).split()[-1]
    assert answer_of(line.web, token, body(now_firing("before")), id="before") == 202
    line.change("CHECKPOINT")
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - LEFT_MIB * MIB)
    acknowledged, refused = ["before"], None
    with httpx.Client(trust_env=False, timeout=60) as client:
        for number in range(200):
            name = f"full-{number}"
            filler = base64.b64encode(os.urandom(300 * KIB)).decode()
            content = body({**now_firing(name), "annotations": {"summary": "Checkout fails", "filler": filler}})
            answer = client.post(f"{line.web}/in/{token}", content=content, headers={"Idempotency-Key": name})
            if answer.status_code == 202:
                acknowledged.append(name)
            else:
                refused = answer
                break
        assert refused is not None
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60"), refused.text
        assert "storage full" in refused.json()["message"]
        page = client.get(f"{line.web}/alerts/", cookies={"sessionid": cookie})
        assert (page.status_code, "Checkout" in page.text) == (200, True)
        ballast.unlink()
        wait(
            lambda: answer_of(line.web, token, body(now_firing("after")), id="after") in (200, 202),
            seconds=30,
            what=line.logs,
        )
    stored = {row[0] for row in line.ask("SELECT fingerprint FROM incidents_alert")}
    assert {*acknowledged, "after"} <= stored
    drops = "SELECT sum(count) FROM incidents_dropcount WHERE reason = 'storage full'"

    def counted() -> object:  # what was counted meanwhile is written with a later delivery
        answer_of(line.web, token, body(now_firing("after")), id="after")
        return line.ask(drops)[0][0]

    line.wait(counted)
