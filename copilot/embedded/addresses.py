"""Where the embedded services of one `var/` listen, and its secret key; every process of that `var/` gets the same answer."""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path

MAX_SOCKET_PATH = 107  # bytes that the kernel takes
_LONGEST_NAME = "/.s.PGSQL.5432.lock"
DEFAULT_PORTS = {"chroma": 8100, "model-server": 8101}


def sockets(var: Path) -> Path:
    """Return the folder of the Unix sockets: `var/run`, or a short private folder when that path is too long for a socket."""
    folder = var / "run"
    if len(os.fsencode(folder)) + len(_LONGEST_NAME) <= MAX_SOCKET_PATH:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"copilot-{os.geteuid()}-{name}"


def prepare_sockets(var: Path) -> Path:
    """Make the folder of the Unix sockets and return it. Raises PermissionError when somebody else made it first."""
    folder = sockets(var)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or give COPILOT_VAR a shorter path.")
    folder.chmod(0o711)  # PostgreSQL may run as another user: it passes, and sees nothing
    return folder


def database_url(var: Path) -> str:
    """Return the URL of the embedded PostgreSQL."""
    return f"postgresql://copilot@/copilot?host={sockets(var) / 'postgres'}"


def redis_url(var: Path) -> str:
    """Return the URL of the embedded Valkey."""
    return f"unix://{sockets(var) / 'valkey.sock'}?db=0"


def chroma_url(var: Path) -> str:
    """Return the URL of the embedded vector index."""
    return f"http://127.0.0.1:{port(var, 'chroma')}"


def local_llm_url(var: Path) -> str:
    """Return the URL of the embedded model server's OpenAI-compatible API."""
    return f"http://127.0.0.1:{port(var, 'model-server')}/v1"


def port(var: Path, name: str) -> int:
    """Return the port that was chosen for this `var/` when it was last started, else the usual one."""
    return ports(var).get(name, DEFAULT_PORTS[name])


def ports(var: Path) -> dict[str, int]:
    """Return the ports that were chosen for this `var/`; empty before the first start."""
    try:
        return dict(json.loads(_file(var).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def keep_ports(var: Path, chosen: dict[str, int]) -> None:
    """Write down the chosen ports, all or nothing, for every process of this `var/`."""
    path = _file(var)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(chosen), encoding="utf-8")
    draft.replace(path)


def _file(var: Path) -> Path:
    return var / "run" / "addresses.json"


def secret_key(var: Path, name: str = "secret_key") -> str:
    """Return this `var/`'s own key of that name, made at first use and readable by its owner only."""
    path = var / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the one
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()
