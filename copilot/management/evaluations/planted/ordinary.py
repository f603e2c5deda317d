"""Lines without anything to hide, of the kinds that programs write all day; many look a little like secrets or numbers of people."""

from collections.abc import Iterator

from copilot.management.evaluations.planted.shapes import ALNUM, HEX, UPPER, Draw

_WORDS = ("cart", "checkout", "orders", "payments", "search", "catalog", "session", "inventory", "gateway", "worker")
_FIRST = (
    "GET /{w}/{n} 200 in {n} ms",
    "trace_id={hex32} span_id={hex16} parent_id={hex16} sampled=true",
    "request 0x{hex16} took {n}.{n} s on {w}-{hex9}-{low5}",
    "commit {hex40} deployed to {w} as {n}.{n}.{n}",
    "image sha256:{hex64} pulled in {n} s",
    "10.{b}.{b}.{b}:{port} connected to 192.168.{b}.{b}:5432",
    "2026-11-20T02:44:03.{n}Z INFO [main] c.e.{w}.Service - started in {n}.{n} s",
    "goroutine {n} [running]: main.(*{W}).Serve(0xc000{hex6})",
    "java.lang.IllegalStateException: token expected at position {n}",
    "at com.example.{w}.PasswordValidator.check(PasswordValidator.java:{n})",
    "password authentication failed for role app",
    "secret {w}-tls not found in namespace {w}",
    "key not found: {w}/{n}",
    "cache key {w}:{n}:v2 expired, ttl was {n} s",
    "token bucket of {w} is empty, {n} requests were throttled",
    "gc pause {n} ms, heap {n}M->{n}M({n}M)",
    'etag W/"{hex32}" matched, 304',
    "uuid {hex8}-{hex4}-4{hex3}-a{hex3}-{hex12} created",
    "ORA-{n}: unique constraint violated on {w}_ID_{n}",
    "version 1.2.{n}.{n} of {w} is active",
    "epoch {n13} offset {n} partition {n} lag {n}",
    "order {n8} paid with method card, total {n}.{n2} EUR",
    "retry {n} of {n} for POST /{w} after 503",
    "Signature verification of the package {w} succeeded",
    "user {n} logged in from session {n}",
    "X-Request-Id: {hex32}",
    "tls handshake error: remote error: bad certificate (serial {hex20})",
    "kernel: [{n8}.{n6}] TCP: request_sock_TCP: Possible SYN flooding on port {port}",
    '{{"level":"info","service":"{w}","duration_ms":{n},"token_count":{n},"password_changed":false}}',
    "max_tokens=4096 prompt_tokens={n} completion_tokens={n}",
)
_SECOND = (
    "Started {W}Application in {n}.{n} seconds (process running for {n}.{n})",
    'level=debug msg="lease renewed" lease={hex16} holder={w}-{n}',
    "pod/{w}-{hex9}-{low5} restarted {n} times, last exit code 137",
    "SELECT name, price FROM {w} WHERE id = {n} LIMIT {n} -- {n} ms",
    "segment /{w}/{hex32}.ts written, {n} bytes",
    "hash {b64}= of layer differs from the manifest",
    "AssertionError: expected key 'name' in {{'id': {n}}}",
    "address already in use: 0.0.0.0:{port}",
    "signal-to-noise {n}.{n} dB on channel {n}",
    "build {w}-{n}-g{hex7} finished: {n} passed, {n} failed",
    "serial number {UP8}-{UP4} of disk /dev/sd{l} reported",
    "eventId={n13} sequence={n} producer={w}",
    "thread pool {w}-pool-{n}-thread-{n} exhausted",
    "credentials file not found, using instance role",
    "private key permissions are too open for {w}",
    "access key rotation of {w} is due in {n} days",
    "phone home disabled by policy",
    "born ready: {w} accepted {n} connections",
    "name={w} replicas={n} ready={n}",
    "full name resolution of {w}.default.svc.cluster.local took {n} ms",
    "address family not supported by protocol ({n})",
    "contact point {w}-{n} did not answer, trying the next",
    "checksum 0x{hex8} expected 0x{hex8}",
    "mem: {n8}kB used, {n8}kB free, {n8}kB buffers",
    'nginx: upstream timed out (110: Connection timed out) while connecting, upstream: "http://10.{b}.{b}.{b}:{port}/{w}"',
    "Kafka record offset {n12} committed at {n13}",
    "feature flag new-{w} evaluated to true for {n} %",
    "2026/11/20 02:44:03 http: TLS handshake error from 172.16.{b}.{b}:{port}: EOF",
    'msg="reconciled" controller={w} revision={n} hash={hex10}',
    "Basic health check passed, bearer of role {w} unchanged",
)


def lines(half: str, *, count: int, seed: str) -> Iterator[str]:
    """Yield so many lines of a half, "first" or "second"."""
    draw, templates = Draw(f"ordinary {half} {seed}"), {"first": _FIRST, "second": _SECOND}[half]
    for number in range(count):
        yield templates[number % len(templates)].format_map(_Drawn(draw))


class _Drawn(dict[str, str]):
    """Draws what a template asks for by name: {n}, {hex16}, {UP8}, …"""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self._draw = draw

    def __missing__(self, name: str) -> str:
        draw = self._draw
        fixed = {"w": draw.one(_WORDS), "W": draw.one(_WORDS).capitalize(), "l": draw.one("abcd")}
        ranges = {"b": (0, 255), "port": (1024, 65535), "n": (1, 9999), "n2": (10, 99)}
        if name in fixed:
            return fixed[name]
        if name in ranges:
            return str(draw.random.randint(*ranges[name]))
        if name == "b64":
            return draw.of(HEX, 43)
        alphabets = {"hex": HEX, "UP": UPPER, "low": ALNUM.lower()}
        kind = next((kind for kind in alphabets if name.startswith(kind)), "")
        return draw.of(alphabets[kind], int(name[len(kind) :])) if kind else draw.digits(int(name[1:]))
