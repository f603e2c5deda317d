"""The local language model behind an OpenAI-compatible API, as a child process on the loopback.

Run as a module it fetches the model's file when it is missing, loads it, and serves until it is asked to end:

    python -m copilot.embedded.model_server --file FILE --port PORT [--fetch]
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import httpx

from copilot.embedded import model_file, openmp
from copilot.embedded.child import Program
from copilot.embedded.model_file import ModelFileError

HOST = "127.0.0.1"
ALIAS = "local"  # the name that clients ask for
GAVE_UP = 3  # exit status: trying again at once is of no use
CONTEXT_TOKENS = 4096
PREFIX_CACHE_MIB = 512  # prompts of other incidents, kept in memory
MOST_THREADS = 4
LOG = logging.getLogger("model_server")


def program(*, file: Path, port: int, fetch: bool) -> Program:
    """Return how to serve the model in `file`; `fetch` allows to download it first."""
    return Program(
        name="model-server",
        command=(
            *(sys.executable, "-m", "copilot.embedded.model_server", "--file", str(file), "--port", str(port)),
            *(["--fetch"] if fetch else []),
        ),
        ready=lambda: model_file.progress(file) or why_not_ready(f"http://{HOST}:{port}"),
        variables={
            "PYTHONUNBUFFERED": "1",
            # Threads that wait give their core away. Spinning, two of them wrote 0.5 tokens/s while something else used the cores;
            # asleep, 3 to 4.
            "OMP_WAIT_POLICY": "passive",
            **openmp.variables(),
        },
        folder=Path(__file__).resolve().parents[2],
        stop_seconds=10,
    )


def why_not_ready(url: str) -> str | None:
    """Return None when the server has loaded its model, else why it cannot answer yet."""
    try:
        answer = httpx.get(f"{url}/health", timeout=1, trust_env=False)
    except httpx.HTTPError as error:
        return str(error)
    if answer.status_code == 200:
        return None
    try:
        return str(answer.json()["error"]["message"])  # "Loading model"
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"{url} answers {answer.status_code}"


def serve(*, file: Path, port: int) -> None:
    """Load the model and serve it until SIGTERM or SIGINT."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {ALIAS}
    parameters.hostnames = [HOST]
    parameters.port = port
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cache_ram_mib = PREFIX_CACHE_MIB
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = min(MOST_THREADS, os.cpu_count() or 1)
    parameters.n_threads_http = 4
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.verbosity = 1
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    server = xllamacpp.Server(parameters)
    LOG.info("model server: serving %s at %s", file.name, server.listening_address)
    over.wait()


def main(*, file: Path, port: int, fetch: bool) -> int:
    """Fetch the file if allowed, then serve it; returns the exit status."""
    try:
        if fetch:
            model_file.fetch(file, report=LOG.info)
        elif not file.exists():
            raise ModelFileError(
                f"COPILOT_LLM_FILE={file} does not exist: give the path of a GGUF file, or unset it to fetch the default model."
            )
    except ModelFileError as error:
        LOG.error("model server: %s", error)
        return GAVE_UP
    try:
        serve(file=file, port=port)
    except ImportError as error:
        LOG.error("model server: llama.cpp cannot be loaded: %s. On Debian: apt-get install libgomp1", error)
        return GAVE_UP
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fetch", action="store_true")
    given = parser.parse_args()
    sys.exit(main(file=given.file.resolve(), port=given.port, fetch=given.fetch))
