"""The first half's secrets: keys as their services document them, passwords as people choose them."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

from copilot.management.evaluations.planted.shapes import ALNUM, BASE64, HEX, UPPER, URL_SAFE, Draw, Planted, Value

SEPARATE = "-----"


def values(draw: Draw) -> Iterator[Value]:
    """Yield one of each."""
    yield from _clouds_and_code(draw)
    yield from _services(draw)
    yield Value("JWT", _jwt(draw), ("token", "id_token"))
    for _ in range(4):
        yield Value("password", _password(draw), ("password", "DB_PASSWORD", "db.passwd", "client_secret"), False)
        yield Value("token", draw.of(ALNUM, 32), ("api_key", "AUTH_TOKEN", "x-api-key", "accessToken"), False)


def _clouds_and_code(draw: Draw) -> Iterator[Value]:
    aws = ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secretAccessKey")
    yield Value(
        "cloud key", "AKIA" + draw.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), ("AWS_ACCESS_KEY_ID", "accessKeyId")
    )
    yield Value("cloud key", "ASIA" + draw.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), ("AWS_ACCESS_KEY_ID",))
    yield Value("cloud key", draw.of(BASE64, 40), aws, False)
    yield Value("cloud key", "AIza" + draw.of(URL_SAFE, 35), ("GOOGLE_API_KEY", "key"))
    yield Value("cloud key", "ya29." + draw.of(URL_SAFE, 60), ("access_token",))
    yield Value("cloud key", f"{draw.of(ALNUM, 3)}8Q~{draw.of(URL_SAFE, 34)}", ("AZURE_CLIENT_SECRET", "clientSecret"))
    yield Value("cloud key", draw.of(BASE64, 86) + "==", ("AccountKey", "AZURE_STORAGE_KEY"), False)
    for beginning in ("ghp_", "gho_", "ghs_", "ghu_", "ghr_"):
        yield Value("code host key", beginning + draw.of(ALNUM, 36), ("GITHUB_TOKEN", "token"))
    yield Value("code host key", f"github_pat_{draw.of(ALNUM, 22)}_{draw.of(ALNUM, 59)}", ("GITHUB_TOKEN",))
    for beginning in ("glpat-", "glrt-", "gldt-"):
        yield Value("code host key", beginning + draw.of(URL_SAFE, 20), ("GITLAB_TOKEN", "private_token"))
    yield Value("code host key", "ATBB" + draw.of(ALNUM, 32), ("BITBUCKET_APP_PASSWORD",))


def _services(draw: Draw) -> Iterator[Value]:
    for beginning in ("xoxb", "xoxp"):
        token = f"{beginning}-{draw.digits(12)}-{draw.digits(12)}-{draw.of(ALNUM, 24)}"
        yield Value("chat key", token, ("SLACK_TOKEN", "slack_bot_token"))
    hook, secret = f"https://hooks.slack.com/services/T{draw.of(UPPER, 8)}/B{draw.of(UPPER, 10)}/", draw.of(ALNUM, 24)
    yield Value("chat key", hook + secret, ("SLACK_WEBHOOK",), secret=secret)
    yield Value("chat key", f"{draw.digits(10)}:AA{draw.of(URL_SAFE, 33)}", ("TELEGRAM_BOT_TOKEN",))
    for beginning in ("sk_live_", "sk_test_", "rk_live_"):
        yield Value("payment key", beginning + draw.of(ALNUM, 24), ("STRIPE_SECRET_KEY", "stripe_key"))
    yield Value("payment key", "whsec_" + draw.of(ALNUM, 32), ("STRIPE_WEBHOOK_SECRET",))
    yield Value("model key", "sk-proj-" + draw.of(URL_SAFE, 48), ("OPENAI_API_KEY",))
    yield Value("model key", f"sk-ant-api03-{draw.of(URL_SAFE, 93)}AA", ("ANTHROPIC_API_KEY",))
    yield Value("model key", "hf_" + draw.of(ALNUM, 34), ("HF_TOKEN",))
    yield Value("package key", "npm_" + draw.of(ALNUM, 36), ("NPM_TOKEN", "_authToken"))
    yield Value("package key", "pypi-AgEIcHlwaS5vcmc" + draw.of(URL_SAFE, 100), ("PYPI_TOKEN",))
    yield Value("service key", f"SG.{draw.of(URL_SAFE, 22)}.{draw.of(URL_SAFE, 43)}", ("SENDGRID_API_KEY",))
    yield Value("service key", "hvs." + draw.of(URL_SAFE, 90), ("VAULT_TOKEN",))
    yield Value("service key", "dop_v1_" + draw.of(HEX, 64), ("DIGITALOCEAN_TOKEN",))


def _jwt(draw: Draw) -> str:
    head, said = {"alg": "HS256", "typ": "JWT"}, {"sub": draw.digits(10), "iat": 1790000000}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, said)]
    return ".".join((*parts, draw.of(URL_SAFE, 43)))


def _password(draw: Draw) -> str:
    words = ("Winter", "correct", "tiger", "Bahnhof", "octopus", "Passwort", "letmein", "queso", "Rosebud")
    return draw.one(words) + draw.one("!?.-_%+*") + draw.of(ALNUM, 5) + draw.digits(2)


# Where a name stands before the value.
_NAMED = {
    "environment": "export {name}={value}",
    "compose file": "      {name}: {value}",
    "YAML, quoted": '{name}: "{value}"',
    "JSON log": '{{"ts":"2026-11-20T02:44:03Z","level":"info","msg":"config loaded","{name}":"{value}","port":5432}}',
    "JSON in JSON": '{{"event":"{{\\"user\\":\\"app\\",\\"{name}\\":\\"{value}\\"}}","n":1}}',
    "Python dict": "DEBUG settings={{'host': 'db-1', '{name}': '{value}', 'pool': 30}}",
    "flag with =": "started: /app/server --{name}={value} --port=8080",
    "flag": "started: /app/server --{name} {value} --port 8080",
    "query string": 'GET /v1/items?page=2&{name}={value}&sort=asc HTTP/1.1" 200 512',
    "logfmt": 'level=warn msg="retrying login" {name}={value} attempt=3',
    "properties": "spring.datasource.{name}={value}",
    "header": "> {name}: {value}",
    "XML": "<{name}>{value}</{name}>",
    "connection string": "Server=db-1;Database=shop;User Id=app;{name}={value};Encrypt=yes",
}
_ALONE = {
    "prose": "client refused the key {value} at 02:44:03",
    "quoted": "unexpected value '{value}' in line 12",
    "URL path": "POST https://api.example.com/v1/hooks/{value}/send 401 in 12 ms",
    "bearer": "curl -H 'Authorization: Bearer {value}' https://api.example.com/v1/me",
    "list": '["checkout", "{value}", 3]',
}
_IN_ADDRESS = ("postgresql", "redis", "amqp", "https", "mongodb")


def planted(seed: str) -> Iterator[Planted]:
    """Yield every line of this half."""
    draw = Draw(f"first {seed}")
    for value in values(draw):
        for name in value.names:
            for way, template in _NAMED.items():
                yield Planted(value.kind, way, template.format(name=name, value=value.text), (value.trace,))
        for way, template in _ALONE.items() if value.stands_alone else ():
            yield Planted(value.kind, way, template.format(value=value.text), (value.trace,))
        yield from _encoded(value)
    for _ in range(20):
        password = draw.one(("Winter", "tiger", "queso")) + draw.of(ALNUM, 6) + draw.one("!$*")
        address = f"{draw.one(_IN_ADDRESS)}://app:{password}@db-1.internal:5432/shop"
        yield Planted("password", "address", f"connecting to {address} failed: timeout", (password,))
        yield Planted("password", "address", f'{{"dsn":"{address}"}}', (password,))
    yield from _private_keys(draw)
    yield from _headers(draw)


def _encoded(value: Value) -> Iterator[Planted]:
    """Base64 and percent-encoding of what has a form of its own, and of an announced value with its name."""
    text = value.text if value.stands_alone else f"{value.names[0]}={value.text}"
    in_base64 = base64.b64encode(text.encode()).decode()
    yield Planted(value.kind, "base64", f"secret volume: config: {in_base64}", (in_base64, value.trace))
    whole = quote(f"next=/x&{value.names[0]}={value.text}", safe="")
    yield Planted(value.kind, "percent-encoded", f"GET /login?{whole} 302", (quote(value.trace, safe=""), value.trace))
    if value.stands_alone:
        half = len(value.text) - len(value.trace) // 2
        first, second = value.text[:half], value.text[half:]
        yield Planted(
            value.kind,
            "over two lines",
            f"token: {first}\n{second}\nnext line",
            (value.trace[: half - len(value.text)], second),
        )
        yield Planted(
            value.kind,
            "over two lines",
            f'KEY="{first}" \\\n  "{second}"',
            (value.trace[: half - len(value.text)], second),
        )


def _private_keys(draw: Draw) -> Iterator[Planted]:
    for kind in ("RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
        for _ in range(3):
            lines = [draw.of(BASE64, 64) for _ in range(6)]
            for way, break_ in (("PEM", "\n"), ("PEM in JSON", "\\n"), ("PEM, Windows", "\r\n")):
                block = break_.join((f"{SEPARATE}BEGIN {kind}{SEPARATE}", *lines, f"{SEPARATE}END {kind}{SEPARATE}"))
                yield Planted("private key", way, f'loaded key "{block}" from disk', tuple(lines))
            cut = f"loaded {SEPARATE}BEGIN {kind}{SEPARATE}\n" + "\n".join(lines[:3])
            yield Planted("private key", "PEM, cut short", cut, tuple(lines[:3]))


def _headers(draw: Draw) -> Iterator[Planted]:
    for _ in range(8):
        opaque, basic = draw.of(URL_SAFE, 40), base64.b64encode(f"app:{_password(draw)}".encode()).decode()
        yield Planted("credential", "header", f"authorization: Bearer {opaque}", (opaque,))
        yield Planted("credential", "header", f'"Authorization":["Bearer {opaque}"]', (opaque,))
        yield Planted("credential", "header", f"Authorization: Basic {basic}", (basic,))
        yield Planted("credential", "header", f"Proxy-Authorization: Basic {basic}", (basic,))
        yield Planted("credential", "cookie", f"Cookie: sessionid={opaque}; theme=dark", (opaque,))
        yield Planted("credential", "cookie", f"Set-Cookie: sid={opaque}; Path=/; HttpOnly", (opaque,))
