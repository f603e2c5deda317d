"""The two ways to embed agree, and the small one stays small."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runbooks import embedding

TEXTS = [
    "no database connection within 2 s: 5 of 5 in use",
    "x",
    "",
    "Straße, 世界, naïve – “quotes” 🍵",
    "checkout fails for declined cards " * 100,
]


def test_queries_and_documents_get_the_same_vectors() -> None:
    documents = embedding.embed_documents(TEXTS)
    assert documents.shape == (len(TEXTS), embedding.DIMENSION)
    for text, vector in zip(TEXTS, documents, strict=True):
        np.testing.assert_allclose(embedding.embed_query(text), vector, atol=2e-6)


def test_vectors_have_unit_length_and_mean_something() -> None:
    pool, waiting, cake = (
        embedding.embed_query(text)
        for text in (
            "the connection pool is exhausted",
            "all database connections are in use",
            "a recipe for plum cake",
        )
    )
    assert np.linalg.norm(pool) == pytest.approx(1, abs=1e-5)
    assert pool @ waiting > pool @ cake + 0.2


def test_a_query_needs_neither_torch_nor_the_network() -> None:
    code = (
        "import sys; from runbooks.embedding import embed_query; embed_query('pool');"
        "assert not {'torch', 'sentence_transformers', 'transformers', 'httpx'} & set(sys.modules), 'too much was imported'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_model_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(embedding.EmbeddingUnavailable, match="pip install"):
        embedding.model_folder()
