"""The vector index in a Chroma server: a cache of the passages in PostgreSQL, which can be deleted and rebuilt at any time.

The only module that imports chromadb, and only when it is needed: the import takes over a second. Every failure is an
IndexUnavailable, whose message says which server and what happened.
"""

import functools
import importlib
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from runbooks.embedding import DIMENSION, MODEL_NAME, Vectors

# A change of the model or of its vectors' length makes another collection, filled from the passages; the old one is left alone until then.
COLLECTION = f"passages-{MODEL_NAME}-{DIMENSION}"
# Seconds on each read. A search must not hold up a brief; filling the index may wait for a busy disk.
SEARCH_SECONDS = 2.0
UPKEEP_SECONDS = 30.0
PAGE = 1_000
QUOTED = 300  # characters of an error that the server explains


class IndexUnavailable(Exception):
    """The vector index did not answer, or not as it should."""


class CollectionMissing(IndexUnavailable):
    """The server answers, and does not have the collection: it is new, or its data was removed."""


class CollectionBroken(IndexUnavailable):
    """The server answers, and its data cannot be read: truncated, half deleted, or of another program."""


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The collection of one Chroma server. Opening the connection is left to the first call; safe to share between threads."""

    url: str
    collection: str = COLLECTION
    seconds: float = UPKEEP_SECONDS

    def nearest(self, vector: Vectors, *, limit: int) -> list[int]:
        """Return up to `limit` passage ids, nearest first. `vector` has unit length, shape (384,)."""
        with _named_errors(self.url):
            found = self._collection().query(query_embeddings=[vector.tolist()], n_results=limit, include=[])
        return [int(chunk_id) for chunk_id in found["ids"][0]]

    def upsert(self, vectors: Mapping[int, Vectors], *, sha256: Mapping[int, str]) -> None:
        """Put in or replace passages by id, each with its vector and the SHA-256 of its text. Repeating it changes nothing."""
        if not vectors:
            return
        with _named_errors(self.url):
            self._collection(create=True).upsert(
                ids=[str(chunk_id) for chunk_id in vectors],
                embeddings=[vector.tolist() for vector in vectors.values()],
                metadatas=[{"sha256": sha256[chunk_id]} for chunk_id in vectors],
            )

    def delete(self, chunk_ids: Collection[int]) -> None:
        """Take passages out; those that are not there do not matter."""
        ids = [str(chunk_id) for chunk_id in chunk_ids]
        with _named_errors(self.url):
            for start in range(0, len(ids), PAGE):
                self._collection().delete(ids=ids[start : start + PAGE])

    def count(self) -> int:
        """Return how many passages the index holds. Asked over plain HTTP: a health check is not to import Chroma's client."""
        collections = f"{self.url.rstrip('/')}/api/v2/tenants/default_tenant/databases/default_database/collections"
        try:
            identity = self._asked(f"{collections}/{self.collection}")["id"]
            return int(self._asked(f"{collections}/{identity}/count"))
        except httpx.HTTPError as error:
            raise IndexUnavailable(_no_answer(self.url, error)) from error
        except (ValueError, TypeError, KeyError) as error:
            raise IndexUnavailable(f"What answers at {self.url} is no vector index: {error!r}.") from error

    def _asked(self, address: str) -> Any:
        answer = httpx.get(address, timeout=self.seconds, verify=_certificates())
        _refuse_unexplained(answer)
        if answer.is_error:
            kind = CollectionMissing if answer.status_code == httpx.codes.NOT_FOUND else CollectionBroken
            raise kind(f"The vector index at {self.url} answered {answer.status_code}: {answer.text[:QUOTED]}.")
        return answer.json()

    def contents(self) -> dict[int, str]:
        """Return the id of every passage in the index with the SHA-256 of the text that its vector was made from."""
        contents: dict[int, str] = {}
        with _named_errors(self.url):
            while True:
                page = self._collection().get(include=["metadatas"], limit=PAGE, offset=len(contents))
                for chunk_id, metadata in zip(page["ids"], page["metadatas"], strict=True):
                    contents[int(chunk_id)] = str((metadata or {}).get("sha256", ""))
                if len(page["ids"]) < PAGE:
                    return contents

    def reset(self) -> None:
        """Drop the collection, broken or not, and make an empty one."""
        with _named_errors(self.url):
            client = _client(self.url, self.seconds)
            if self.collection in [known.name for known in client.list_collections()]:
                client.delete_collection(self.collection)
            self._collection(create=True)

    def _collection(self, *, create: bool = False) -> Any:
        # The embedding function is ours: Chroma's default one would fetch a model from the network.
        client = _client(self.url, self.seconds)
        open_collection = client.get_or_create_collection if create else client.get_collection
        return open_collection(self.collection, embedding_function=None)


def import_client() -> None:
    """Import Chroma's client ahead of the first call, for instance before a worker forks. Opens no connection."""
    importlib.import_module("chromadb")


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the authorities to trust; httpx would read them anew for each request, which takes longer than the request."""
    return httpx.create_ssl_context()


@functools.cache
def _client(url: str, seconds: float) -> Any:
    import chromadb
    from chromadb.config import Settings

    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    # The client's own session waits for ever, already while it is constructed: ask first, and set the limit right after.
    httpx.get(f"{url.rstrip('/')}/api/v2/heartbeat", timeout=seconds, verify=_certificates()).raise_for_status()
    client = chromadb.HttpClient(
        host=address.hostname or "",
        port=port,
        ssl=address.scheme == "https",
        settings=Settings(anonymized_telemetry=False),
    )
    session: httpx.Client = client._server._session  # type: ignore[attr-defined]  # there is no public way to it
    session.timeout = httpx.Timeout(seconds)
    session.event_hooks = {"response": [_refuse_unexplained]}
    return client


def _refuse_unexplained(response: httpx.Response) -> None:
    """Raise for an error page that is not Chroma's own: the client would raise a bare Exception for it."""
    if response.is_error and "json" not in response.headers.get("content-type", ""):
        response.raise_for_status()


@contextmanager
def _named_errors(url: str) -> Iterator[None]:
    """Turn what the client may raise into IndexUnavailable."""
    try:
        yield
    except httpx.HTTPError as error:
        raise IndexUnavailable(_no_answer(url, error)) from error
    except ValueError as error:  # the client's word for "cannot connect" while it is constructed
        raise IndexUnavailable(f"The vector index at {url} cannot be used: {error}.") from error
    except ImportError as error:
        raise IndexUnavailable(f"Chroma's client cannot be imported ({error}): run make setup again.") from error
    except _chroma_errors() as error:
        kind = CollectionMissing if type(error).__name__ == "NotFoundError" else CollectionBroken
        raise kind(f"The vector index at {url} answered {type(error).__name__}: {error}.") from error


def _no_answer(url: str, error: httpx.HTTPError) -> str:
    return f"The vector index at {url} does not answer: {type(error).__name__} {error}."


def _chroma_errors() -> tuple[type[Exception], ...]:
    from chromadb.errors import ChromaError

    return (ChromaError,)
