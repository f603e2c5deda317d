"""Where the embedded services of one `var/` listen, and its secret key; the same answer before they start and after."""

import secrets
from pathlib import Path


def database_url(var: Path) -> str:
    """Return the URL of the embedded PostgreSQL."""
    return f"postgresql://copilot@/copilot?host={var}/run"


def redis_url(var: Path) -> str:
    """Return the URL of the embedded Valkey."""
    return "redis://127.0.0.1:6379/0"


def chroma_url(var: Path) -> str:
    """Return the URL of the embedded vector index."""
    return "http://127.0.0.1:8100"


def local_llm_url(var: Path) -> str:
    """Return the URL of the embedded model server's OpenAI-compatible API."""
    return "http://127.0.0.1:8101/v1"


def secret_key(var: Path) -> str:
    """Return this `var/`'s own key, made at first use and readable by its owner only."""
    path = var / "secret_key"
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()
