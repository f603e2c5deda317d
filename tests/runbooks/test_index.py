"""The vector index against a real Chroma server, a silent one, and none."""

import re
import socket

import numpy as np
import pytest
from pytest_httpserver import HTTPServer

from runbooks.embedding import DIMENSION, Vectors
from runbooks.index import CollectionMissing, IndexUnavailable, VectorIndex


def vectors(count: int) -> dict[int, Vectors]:
    random = np.random.default_rng(7)
    made = random.normal(size=(count, DIMENSION)).astype(np.float32)
    return {number: row / np.linalg.norm(row) for number, row in enumerate(made, start=1)}


@pytest.fixture
def index(chroma_url: str) -> VectorIndex:
    empty = VectorIndex(chroma_url, collection="index-tests")
    empty.reset()
    return empty


def test_finds_the_nearest_first(index: VectorIndex) -> None:
    made = vectors(40)
    index.upsert(made, sha256={number: f"sha-{number}" for number in made})
    assert index.nearest(made[17], limit=3)[0] == 17
    assert index.count() == 40
    assert index.contents()[17] == "sha-17"


def test_putting_in_twice_and_deleting_twice_changes_nothing(index: VectorIndex) -> None:
    made = vectors(3)
    for _ in range(2):
        index.upsert(made, sha256=dict.fromkeys(made, "a"))
    assert set(index.contents()) == {1, 2, 3}
    for _ in range(2):
        index.delete([1, 99])
    assert set(index.contents()) == {2, 3}


def test_contents_go_beyond_one_page(index: VectorIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.index.PAGE", 10)
    made = vectors(25)
    index.upsert(made, sha256=dict.fromkeys(made, "a"))
    assert len(index.contents()) == 25


def test_a_missing_collection_is_told_from_a_missing_server(chroma_url: str) -> None:
    with pytest.raises(CollectionMissing):
        VectorIndex(chroma_url, collection="never-made").count()


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(IndexUnavailable, match=url):
            VectorIndex(url).count()


def test_a_server_that_never_answers_does_not_hold_anybody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(IndexUnavailable, match="Timeout"):
            VectorIndex(url, seconds=0.3).nearest(vectors(1)[1], limit=1)


def test_another_program_on_the_port_is_an_unavailable_index(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/api/v2/.*")).respond_with_data(
        "<h1>nginx</h1>", status=502, content_type="text/html"
    )
    other = VectorIndex(httpserver.url_for("").rstrip("/"))
    for ask in (other.count, other.contents):
        with pytest.raises(IndexUnavailable, match="502"):
            ask()


@pytest.mark.parametrize("said", ["[]", "{}", "hello", '{"id": "c1"}'])
def test_a_count_that_is_none_is_an_unavailable_index(httpserver: HTTPServer, said: str) -> None:
    httpserver.expect_request(re.compile("/api/v2/.*")).respond_with_data(said, content_type="application/json")
    with pytest.raises(IndexUnavailable, match="is no vector index"):
        VectorIndex(httpserver.url_for("").rstrip("/")).count()
