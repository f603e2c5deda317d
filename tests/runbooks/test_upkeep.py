"""Embedding by claim and lease, and an index that is made whole again (faults 65 and 66), against a real Chroma and the real model."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from copilot.embedded import postgres, supervisor, vector_index
from runbooks import curation, tasks, upkeep
from runbooks.embedding import embed_query
from runbooks.index import CollectionBroken, VectorIndex
from runbooks.models import Chunk, Revision
from runbooks.search import search
from tests.runbooks.library import NOW, small_library, write
from tests.services import Run, free_port

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def index(chroma_url: str, settings: Settings) -> VectorIndex:
    settings.CHROMA_URL = chroma_url
    emptied = VectorIndex(chroma_url)
    emptied.reset()
    return emptied


def embed_all() -> None:
    for revision_id in upkeep.waiting(now=NOW):
        assert upkeep.claim(revision_id, now=NOW)
        while upkeep.embed_batch(revision_id, now=NOW):
            pass


def approved_ids() -> set[int]:
    return set(Chunk.objects.filter(revision__state=Revision.State.APPROVED).values_list("pk", flat=True))


@pytest.mark.django_db
def test_every_approved_passage_is_embedded_once(index: VectorIndex) -> None:
    small_library()
    assert upkeep.progress().indexed == 0
    embed_all()
    assert set(index.contents()) == approved_ids()
    assert upkeep.progress().indexed == upkeep.progress().passages
    assert upkeep.waiting(now=LATER) == []
    assert upkeep.is_in_step()


@pytest.mark.django_db
def test_only_one_worker_gets_a_revision_until_the_lease_is_out(index: VectorIndex) -> None:
    revision = write("Pool", "Text.")
    assert upkeep.claim(revision.pk, now=NOW)
    assert not upkeep.claim(revision.pk, now=NOW + upkeep.LEASE / 2)
    assert upkeep.claim(revision.pk, now=NOW + upkeep.LEASE * 2)


@pytest.mark.django_db
def test_after_three_deaths_a_person_is_told_and_can_try_again() -> None:
    revision = write("Pool", "Text.")
    now = NOW
    for _ in range(upkeep.MAX_ATTEMPTS):
        assert upkeep.claim(revision.pk, now=now)
        now += upkeep.LEASE * 2
    assert not upkeep.claim(revision.pk, now=now)
    upkeep.explain_deaths(now=now)
    revision.refresh_from_db()
    assert "died 3 times" in revision.failure
    upkeep.try_again(revision)
    assert upkeep.claim(revision.pk, now=now)


@pytest.mark.django_db
def test_a_missing_index_costs_no_attempt_and_is_told(settings: Settings) -> None:
    settings.CHROMA_URL = "http://127.0.0.1:9"
    revision = write("Pool", "Text.")
    for _ in range(5):
        tasks.embed_revision(revision.pk)
        Revision.objects.update(claimed_until=None)
    revision.refresh_from_db()
    assert revision.attempts == 0
    assert "Waiting: The vector index at http://127.0.0.1:9 does not answer" in revision.failure
    assert upkeep.waiting(now=NOW) == [revision.pk]


@pytest.mark.django_db
def test_an_embedding_error_is_shown_and_tried_three_times(index: VectorIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(texts: list[str]) -> None:
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(upkeep, "embed_documents", breaks)
    revision = write("Pool", "Text.")
    for _ in range(5):
        tasks.embed_revision(revision.pk)
        Revision.objects.update(claimed_until=None)
    revision.refresh_from_db()
    assert (revision.attempts, revision.failure) == (3, "RuntimeError: not enough memory")
    assert upkeep.waiting(now=LATER) == []


@pytest.mark.django_db
def test_what_was_retired_is_forgotten_and_what_is_missing_comes_back(index: VectorIndex) -> None:
    library = small_library()
    embed_all()
    curation.retire(library["cache"])
    lost = library["pool"].chunks.first()
    assert lost is not None
    index.delete([lost.pk])
    assert not upkeep.is_in_step()
    found = upkeep.reconcile()
    assert found.missing == 1
    assert found.forgotten > 0
    assert not found.was_reset
    embed_all()
    assert set(index.contents()) == approved_ids()
    assert upkeep.is_in_step()


@pytest.mark.django_db
def test_a_vector_of_an_older_text_is_made_anew(index: VectorIndex) -> None:
    revision = write("Pool", "Text.")
    embed_all()
    chunk = revision.chunks.get()
    index.upsert({chunk.pk: embed_query("other")}, sha256={chunk.pk: "of another text"})
    assert upkeep.is_in_step(), "the count alone cannot see it"
    assert upkeep.reconcile().missing == 1


@pytest.mark.django_db
def test_an_index_that_does_not_find_its_own_passages_is_made_anew(index: VectorIndex) -> None:
    small_library()
    embed_all()
    chunks = list(Chunk.objects.all())
    wrong = {chunk.pk: embed_query(f"unrelated {chunk.pk}") * -1 for chunk in chunks}
    index.upsert(wrong, sha256={chunk.pk: chunk.sha256 for chunk in chunks})
    others = {
        10_000_000 + n: embed_query(f"{chunk.heading}\n{chunk.text}")
        for chunk in chunks
        for n in range(chunk.pk * 10, chunk.pk * 10 + 6)
    }
    index.upsert(others, sha256=dict.fromkeys(others, "x"))
    assert upkeep.reconcile().was_reset
    embed_all()
    assert set(index.contents()) == approved_ids()


@pytest.mark.django_db(transaction=True)
def test_killed_in_mid_embedding_it_resumes_with_each_passage_once(index: VectorIndex, services: Run) -> None:
    """Fault 66: kill -9 in the middle; another worker goes on when the lease is out."""
    markdown = "\n\n".join(f"## Section {n}\n\nPassage number {n} about connections." for n in range(200))
    revision = write("Long", markdown)
    url = f"postgresql://{postgres.USER}@/{connection.settings_dict['NAME']}?host={quote(str(services.folder / 'sockets'))}"
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import django; django.setup(); from runbooks.tasks import embed_revision; embed_revision({revision.pk})",
        ],
        env={**os.environ, "DATABASE_URL": url, "CHROMA_URL": index.url, "DJANGO_SETTINGS_MODULE": "copilot.settings"},
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240
        while not revision.chunks.filter(indexed_at__isnull=False).exists():
            assert worker.poll() is None, "the worker ended early"
            assert time.monotonic() < deadline, "nothing was embedded"
            time.sleep(0.02)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    done_before = revision.chunks.filter(indexed_at__isnull=False).count()
    assert 0 < done_before < 200
    revision.refresh_from_db()
    assert revision.claimed_until is not None
    assert not upkeep.claim(revision.pk, now=revision.claimed_until - timedelta(seconds=1))
    later = revision.claimed_until + timedelta(seconds=1)
    assert upkeep.waiting(now=later) == [revision.pk]
    assert upkeep.claim(revision.pk, now=later)
    while upkeep.embed_batch(revision.pk, now=later):
        pass
    assert set(index.contents()) == approved_ids()
    assert index.count() == 200
    revision.refresh_from_db()
    assert (revision.indexed_at, revision.claimed_until, revision.attempts) == (later, None, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("damage", ["folder deleted", "database truncated", "database emptied"])
def test_lost_data_is_rebuilt_unattended_and_words_answer_meanwhile(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Fault 65: the server loses its data while it runs; the supervisor starts it on an empty folder, and the next ticks fill it."""
    monkeypatch.setattr(supervisor, "BROKEN_CHECK_SECONDS", 0.1)
    data, port, lines = tmp_path / "chroma", free_port(), list[str]()
    settings.CHROMA_URL = f"http://127.0.0.1:{port}"
    program = vector_index.program(data=data, port=port)
    running = supervisor.Supervisor(
        [supervisor.Component(program)], logs=tmp_path / "log", report=lines.append, record=lambda _: None
    )
    try:
        running.start(stop=threading.Event())
        small_library()
        embed_all()
        assert upkeep.why_incomplete(seconds=5) is None
        _damage(data, damage)
        if damage != "folder deleted":  # then it answers from the deleted files until it writes
            with pytest.raises(CollectionBroken):
                upkeep.why_incomplete(seconds=5)
            meanwhile = search("no database connection within 2 s")
            assert meanwhile.passages[0].slug == "connection-pool-exhausted"
            assert "by their words alone" in meanwhile.degraded
        _supervise(running, until=lambda: "ready again" in lines[-1])
        assert "does not work: its data in" in lines[-2]
        assert "has 0 of" in str(upkeep.why_incomplete(seconds=5))
        assert search("no database connection within 2 s").passages[0].slug == "connection-pool-exhausted"
        for _ in range(2):  # one tick sees that something is lost, the next embeds it
            tasks.embed_pending()
        assert set(VectorIndex(settings.CHROMA_URL).contents()) == approved_ids()
        assert upkeep.why_incomplete(seconds=5) is None
        assert search("somebody borrows and never returns").degraded == ""
    finally:
        running.stop()


def _damage(data: Path, damage: str) -> None:
    if damage == "folder deleted":
        shutil.rmtree(data)
    else:
        os.truncate(data / "chroma.sqlite3", 4096 if damage == "database truncated" else 0)


def _supervise(running: supervisor.Supervisor, *, until: Callable[[], bool]) -> None:
    """Let the supervisor work, in this thread, until the condition holds; after a minute without that the test fails."""
    stop = threading.Event()
    deadline = time.monotonic() + 60

    def watch() -> None:
        while not until() and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    running.run(stop=stop)
    watcher.join()
    assert until()
