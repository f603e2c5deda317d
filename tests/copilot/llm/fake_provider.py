"""A model provider on the loopback that speaks OpenAI's streaming protocol as told: well, badly, or not at all."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(text: str = "", *, finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    """One event of the stream."""
    choices = [] if usage else [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}]
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": choices}
    return b"data: " + json.dumps({**body, "usage": usage} if usage else body).encode() + b"\n\n"


def speaks(*texts: str, finish: str | None = "stop", pause: float = 0.0) -> Script:
    """Send the texts as chunks, then how it finished and what it took."""

    def run(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        for text in texts:
            peer.sendall(chunk(text))
            time.sleep(pause)
        if finish:
            peer.sendall(chunk(finish=finish))
            tokens = {
                "prompt_tokens": 900,
                "completion_tokens": 40,
                "total_tokens": 940,
                "prompt_tokens_details": {"cached_tokens": 800},
            }
            peer.sendall(chunk(usage=tokens) + b"data: [DONE]\n\n")

    return run


def delta(**more: Any) -> bytes:
    """One event of the stream with a delta of our own."""
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
    return b"data: " + json.dumps({**body, "choices": [{"index": 0, **more}]}).encode() + b"\n\n"


def calls_tools(*calls: tuple[str, object], said: str = "", finish: str | None = "tool_calls") -> Script:
    """Call tools as OpenAI's protocol streams it, the arguments in two pieces: (name, arguments), arguments as values or as raw text.

    Without `finish` the stream breaks in the middle of the last call.
    """

    def run(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        if said:
            peer.sendall(chunk(said))
        for place, (name, arguments) in enumerate(calls):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            half = len(text) // 2
            first = {
                "index": place,
                "id": f"t{place}",
                "type": "function",
                "function": {"name": name, "arguments": text[:half]},
            }
            peer.sendall(delta(delta={"role": "assistant", "content": None, "tool_calls": [first]}, finish_reason=None))
            if finish is None and place == len(calls) - 1:
                return
            rest = {"index": place, "function": {"arguments": text[half:]}}
            peer.sendall(delta(delta={"tool_calls": [rest]}, finish_reason=None))
        tokens = {"prompt_tokens": 1500, "completion_tokens": 60, "total_tokens": 1560}
        peer.sendall(delta(delta={}, finish_reason=finish) + chunk(usage=tokens) + b"data: [DONE]\n\n")

    return run


def sends(raw: bytes) -> Script:
    """Send these bytes after the head and hang up."""
    return lambda peer: peer.sendall(HEAD + raw)


def fails(status: int, body: str = '{"error": {"message": "no"}}', **headers: str) -> Script:
    """Answer with an error status."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}Connection: close\r\n\r\n"
    return lambda peer: peer.sendall((head + body).encode())


def stays_silent(seconds: float = 20) -> Script:
    """Accept and say nothing until the other side hangs up."""

    def run(peer: socket.socket) -> None:
        peer.settimeout(seconds)
        peer.recv(1)

    return run


@dataclass
class FakeProvider:
    """Runs one script a request, the last one again and again; `requests` keeps the bodies.

    With `lists_models`, what asks for the list of models (a page does, to say whether the model is there) is no such request.
    """

    scripts: list[Script]
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    lists_models: bool = False

    def handle(self, peer: socket.socket) -> None:
        """Read a request and run its script."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        if self.lists_models and head.startswith(b"GET "):
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n" + b'{"data": []}')
            return
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        while len(body) < length:
            body += peer.recv(65536)
        self.requests.append(json.loads(body) if body else {})
        self.scripts[min(len(self.requests), len(self.scripts)) - 1](peer)


@contextmanager
def provider(*scripts: Script, lists_models: bool = False) -> Iterator[FakeProvider]:
    """Serve the scripts on a free port while the block runs."""
    fake = FakeProvider(list(scripts), lists_models=lists_models)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                fake.handle(self.request)
            except OSError:
                self.request.close()  # the client hung up, as some tests want

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield fake
        server.shutdown()


def speaks_ollama(*texts: str) -> Script:
    """Send the texts as Ollama does: a line of JSON each."""

    def run(peer: socket.socket) -> None:
        peer.sendall(HEAD.replace(b"text/event-stream", b"application/x-ndjson"))
        shared = {"model": "m", "created_at": "2026-11-20T03:00:00Z"}
        for text in texts:
            peer.sendall(
                json.dumps({**shared, "message": {"role": "assistant", "content": text}, "done": False}).encode()
                + b"\n"
            )
        end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        peer.sendall(json.dumps({**shared, **end, "prompt_eval_count": 900, "eval_count": 40}).encode() + b"\n")

    return run


def calls_tools_as_anthropic(*calls: tuple[str, dict[str, Any]], said: str = "") -> Script:
    """Call tools as Anthropic's protocol streams it: a block each, its JSON in pieces; without arguments no piece at all."""
    blocks: list[dict[str, Any]] = []
    if said:
        blocks.append({"block": {"type": "text", "text": ""}, "deltas": [{"type": "text_delta", "text": said}]})
    for place, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments) if arguments else ""
        halves = [text[: len(text) // 2], text[len(text) // 2 :]] if text else []
        blocks.append(
            {
                "block": {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": {}},
                "deltas": [{"type": "input_json_delta", "partial_json": half} for half in halves],
            }
        )
    return _anthropic(blocks, stop_reason="tool_use")


def speaks_anthropic(*texts: str) -> Script:
    """Send the texts as Anthropic does: named events."""
    deltas = [{"type": "text_delta", "text": text} for text in texts]
    return _anthropic([{"block": {"type": "text", "text": ""}, "deltas": deltas}], stop_reason="end_turn")


def _anthropic(blocks: list[dict[str, Any]], *, stop_reason: str) -> Script:
    def run(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        usage = {
            "input_tokens": 100,
            "cache_read_input_tokens": 800,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        }
        message = {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "usage": usage,
        }
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": message},
            *(event for place, block in enumerate(blocks) for event in _events(place, block)),
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop_reason, "stop_sequence": None},
                "usage": {**usage, "output_tokens": 40},
            },
            {"type": "message_stop"},
        ]
        for event in events:
            peer.sendall(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    return run


def _events(place: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    deltas = [{"type": "content_block_delta", "index": place, "delta": delta} for delta in block["deltas"]]
    start = {"type": "content_block_start", "index": place, "content_block": block["block"]}
    return [start, *deltas, {"type": "content_block_stop", "index": place}]
