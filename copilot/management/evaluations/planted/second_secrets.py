"""The second half's secrets: other services, other ways to write them than in the first half."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from copilot.management.evaluations.planted.shapes import ALNUM, BASE64, HEX, UPPER, URL_SAFE, Draw, Planted, Value

DASHES = "-----"


def values(draw: Draw) -> Iterator[Value]:
    """Yield one of each."""
    yield from _clouds(draw)
    yield from _chat_and_payment(draw)
    yield from _others(draw)
    for _ in range(4):
        names = ("MYSQL_ROOT_PASSWORD", "adminPassword", "smtp_password", "sshPassphrase", "SECRET_KEY_BASE")
        yield Value("password", _password(draw), names, False)
        yield Value("token", draw.of(HEX, 40), ("refresh_token", "X-Auth-Token", "webhook_secret", "apiToken"), False)
        yield Value(
            "token", draw.of(URL_SAFE, 43), ("session_id", "csrf_token", "CLIENT_SECRET", "shared_secret"), False
        )


def _clouds(draw: Draw) -> Iterator[Value]:
    yield Value("cloud key", "LTAI" + draw.of(ALNUM, 20), ("ALIBABA_CLOUD_ACCESS_KEY_ID",))
    yield Value("cloud key", "AKID" + draw.of(ALNUM, 32), ("TENCENT_SECRET_ID",))
    yield Value("cloud key", draw.of(URL_SAFE, 40), ("CLOUDFLARE_API_TOKEN",), False)
    uuid = "-".join(draw.of(HEX, length) for length in (8, 4, 4, 4, 12))
    yield Value("cloud key", uuid, ("HEROKU_API_KEY", "SCW_SECRET_KEY"), False)
    yield Value("cloud key", "GOCSPX-" + draw.of(URL_SAFE, 28), ("client_secret",))
    yield Value("cloud key", f"1//0{draw.of(URL_SAFE, 60)}", ("refresh_token",))
    yield Value("cloud key", f"{draw.of(HEX, 32)}-us{draw.random.randint(1, 21)}", ("MAILCHIMP_API_KEY",))
    for letter in "opr":
        yield Value("cloud key", f"do{letter}_v1_{draw.of(HEX, 64)}", ("DO_TOKEN",))
    yield Value("cloud key", "dapi" + draw.of(HEX, 32), ("DATABRICKS_TOKEN",))
    yield Value("cloud key", f"{draw.of(ALNUM, 14)}.atlasv1.{draw.of(ALNUM, 67)}", ("TFE_TOKEN",))
    yield Value("cloud key", "pul-" + draw.of(HEX, 40), ("PULUMI_ACCESS_TOKEN",))


def _chat_and_payment(draw: Draw) -> Iterator[Value]:
    discord = f"{draw.one('MN')}{draw.of(ALNUM, 25)}.{draw.of(ALNUM, 6)}.{draw.of(URL_SAFE, 38)}"
    yield Value("chat key", discord, ("DISCORD_TOKEN", "bot_token"))
    hook = f"https://discord.com/api/webhooks/{draw.digits(18)}/"
    secret = draw.of(URL_SAFE, 68)
    yield Value("chat key", hook + secret, ("DISCORD_WEBHOOK",), secret=secret)
    yield Value("chat key", f"xapp-1-A{draw.of(UPPER, 10)}-{draw.digits(13)}-{draw.of(HEX, 64)}", ("SLACK_APP_TOKEN",))
    yield Value("chat key", f"xoxe.xoxp-1-{draw.of(ALNUM, 140)}", ("slack_refresh_token",))
    yield Value(
        "payment key",
        f"access_token$production${draw.of(HEX[:16], 16)}${draw.of(HEX, 32)}",
        ("BRAINTREE_ACCESS_TOKEN",),
    )
    yield Value("payment key", "EAAA" + draw.of(URL_SAFE, 60), ("SQUARE_ACCESS_TOKEN",))
    yield Value("payment key", "sq0csp-" + draw.of(URL_SAFE, 43), ("SQUARE_SECRET",))
    yield Value("payment key", "rzp_live_" + draw.of(ALNUM, 14), ("RAZORPAY_KEY",))
    yield Value("payment key", "rk_test_" + draw.of(ALNUM, 40), ("STRIPE_RESTRICTED_KEY",))
    yield Value("payment key", f"FLWSECK-{draw.of(HEX, 32)}-X", ("FLUTTERWAVE_SECRET",))
    yield Value("payment key", "shpat_" + draw.of(HEX, 32), ("SHOPIFY_TOKEN",))


def _others(draw: Draw) -> Iterator[Value]:
    yield Value("code host key", "glsa_" + draw.of(ALNUM, 32) + "_" + draw.of(HEX, 8), ("GRAFANA_TOKEN",))
    yield Value("code host key", "glptt-" + draw.of(HEX, 40), ("CI_TRIGGER_TOKEN",))
    yield Value("code host key", draw.of("abcdefghijklmnopqrstuvwxyz234567", 52), ("AZURE_DEVOPS_PAT_TOKEN",), False)
    yield Value("service key", "SK" + draw.of(HEX, 32), ("TWILIO_API_KEY",))
    yield Value("service key", "key-" + draw.of(HEX, 32), ("MAILGUN_KEY",))
    yield Value("service key", draw.of(HEX, 32), ("DD_API_KEY", "DATADOG_APP_KEY"), False)
    yield Value("service key", "NRAK-" + draw.of(UPPER, 27), ("NEW_RELIC_API_KEY",))
    sentry = draw.of(HEX, 32)
    yield Value(
        "service key", f"https://{sentry}:{draw.of(HEX, 32)}@sentry.example.com/4", ("SENTRY_DSN",), secret=sentry
    )
    yield Value("service key", "sntrys_" + draw.of(BASE64, 80), ("SENTRY_AUTH_TOKEN",))
    yield Value("service key", "dckr_pat_" + draw.of(URL_SAFE, 27), ("DOCKER_TOKEN",))
    yield Value("service key", "rubygems_" + draw.of(HEX, 48), ("GEM_HOST_API_KEY",))
    yield Value("service key", f"tskey-auth-k{draw.of(ALNUM, 12)}CNTRL-{draw.of(ALNUM, 32)}", ("TS_AUTHKEY",))
    yield Value("service key", "AGE-SECRET-KEY-1" + draw.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58), ("SOPS_AGE_KEY",))
    yield Value("model key", "gsk_" + draw.of(ALNUM, 52), ("GROQ_API_KEY",))
    yield Value("model key", f"sk-or-v1-{draw.of(HEX, 64)}", ("OPENROUTER_API_KEY",))
    yield Value("model key", "r8_" + draw.of(ALNUM, 37), ("REPLICATE_API_TOKEN",))
    head = (
        base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": draw.of(ALNUM, 20)}).encode()).decode().rstrip("=")
    )
    said = {"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:default"}
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    yield Value("JWT", f"{head}.{body}.{draw.of(URL_SAFE, 342)}", ("serviceAccountToken", "assertion"))


def _password(draw: Draw) -> str:
    start = draw.one(("Sommer", "hunter", "P@ssw", "zebra", "admin", "qwertz", "Tr0ub4dor", "s3cr3t", "MotDePasse"))
    return start + draw.of(ALNUM + "!#$%*.-_~", 8) + draw.digits(1)


_NAMED = {
    "container's environment": "- name: {name}\n  value: {value}",
    "container's environment, JSON": '{{"env":[{{"name":"{name}","value":"{value}"}}]}}',
    "TOML": '{name} = "{value}"',
    "HCL": '  {name}         = "{value}"  # rotated in May',
    "Dockerfile": "Step 4/9 : ENV {name} {value}",
    "Dockerfile, =": "ENV {name}={value} PORT=80",
    "systemd": 'Environment="{name}={value}"',
    "PowerShell": "$env:{name} = '{value}'",
    "Ruby hash": 'Parameters: {{"user"=>"app", "{name}"=>"{value}"}}',
    "Go struct": "config: {{Host:db-1 Port:5432 {name}:{value} Pool:30}}",
    "Java toString": "Config(host=db-1, {name}={value}, pool=30)",
    "form body": "grant_type=password&{name}={quoted}&scope=all",
    "curl -d": 'curl -X POST -d \'{{"{name}": "{value}"}}\' http://10.0.0.4/login',
    "multi-part form": 'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x',
    "header list": '[["host","api"],["{name}","{value}"]]',
    "SQL log": "DETAIL: parameters: {name} = '{value}', $2 = '7'",
    "shell trace": "+ {name}={value} ./deploy.sh",
    "shell trace, quoted": "+ export '{name}={value}'",
    "helm --set": "helm upgrade shop ./chart --set {name}={value} --wait",
    "git diff": "-  {name}: {value}",
}
_ALONE = {
    "sentence": "Error: the credential {value} was revoked yesterday.",
    "angle brackets": "invalid key <{value}>",
    "pipe": "|{value}|active|",
    "path": "DELETE /v2/keys/{value} 404",
    "semicolon": "id=7;k={value};end",
    "trailing colon": "lookup of {value}: no such key",
}
_COMMANDS = (
    "curl -u app:{password} https://api.example.com/v1/me",
    "sshpass -p {password} ssh app@db-1",
    "mysql -u root -p{password} shop",
    "PGPASSWORD={password} psql -h db-1 -U app shop",
    "docker login -u ci -p {password} registry.example.com",
    "redis-cli -a {password} ping",
    "openssl rsa -in key.pem -passin pass:{password}",
    "CREATE USER app IDENTIFIED BY '{password}'",
    "ALTER ROLE app WITH PASSWORD '{password}'",
    "machine api.example.com login app password {password}",
    "requirepass {password}",
    "jdbc:postgresql://db-1/shop?user=app&password={quoted}",
    "jdbc:sqlserver://db-1;user=app;password={password};encrypt=true",
    "mongodb+srv://app:{quoted}@cluster0.example.net/shop",
    "amqps://app:{quoted}@mq-1:5671/%2f",
    "https://ci:{quoted}@git.example.com/shop.git",
    "ldap bind dn=cn=admin bindpw={password} failed",
    "snmp: community string {password} rejected, password was {password}",
    "login failed for app with password {password}",
)


def planted(seed: str) -> Iterator[Planted]:
    """Yield every line of this half."""
    draw = Draw(f"second {seed}")
    for value in values(draw):
        for name in value.names:
            for way, template in _NAMED.items():
                quoted, traces = quote_plus(value.text), (value.trace, quote_plus(value.trace))
                line = template.format(name=name, value=value.text, quoted=quoted)
                yield Planted(value.kind, way, line, traces)
        for way, template in _ALONE.items() if value.stands_alone else ():
            yield Planted(value.kind, way, template.format(value=value.text), (value.trace,))
        yield from _encoded(value)
    for command in _COMMANDS:
        for _ in range(3):
            password = draw.one(("Sommer", "hunter", "zebra", "s3cr3t")) + draw.of(ALNUM, 7) + draw.one("!$*.")
            line = command.format(password=password, quoted=quote(password, safe=""))
            yield Planted("password", f"command: {command[:24]}", line, (password, quote(password, safe="")))
    yield from _keys_and_headers(draw)


def _encoded(value: Value) -> Iterator[Planted]:
    text = value.text if value.stands_alone else f"{value.names[0]}: {value.text}"
    url_safe = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    yield Planted(value.kind, "URL-safe base64", f'{{"payload":"{url_safe}"}}', (url_safe, value.trace))
    in_json = base64.b64encode(json.dumps({value.names[0]: value.text}).encode()).decode()
    yield Planted(value.kind, "JSON in base64", f"state={in_json} received", (in_json, value.trace))
    twice = quote(quote(f"{value.names[0]}={value.text}", safe=""), safe="")
    yield Planted(
        value.kind, "percent-encoded twice", f"GET /r?u={twice} 302", (value.trace, quote(value.trace, safe=""))
    )
    if value.stands_alone and value.text.endswith(value.trace):
        at = len(value.text) - len(value.trace) * 2 // 5
        first, second = value.text[:at], value.text[at:]
        traces = (value.trace[: at - len(value.text)], second)
        yield Planted(value.kind, "over two lines", f'body: "{first}\\n{second}"', traces)
        yield Planted(value.kind, "over two lines", f"  {first}\r\n  {second}\r\n", traces)


def _keys_and_headers(draw: Draw) -> Iterator[Planted]:
    for kind in ("DSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "RSA PRIVATE KEY"):
        for _ in range(3):
            lines = [draw.of(BASE64, 64) for _ in range(5)]
            block = "\n".join((f"{DASHES}BEGIN {kind}{DASHES}", *lines, f"{DASHES}END {kind}{DASHES}"))
            indented = block.replace("\n", "\n    ")
            yield Planted("private key", "PEM in YAML", f"tls.key: |\n    {indented}", tuple(lines))
            account = json.dumps({"type": "service_account", "private_key": block + "\n"})
            yield Planted("private key", "service account", account, tuple(lines))
            in_base64 = base64.b64encode(block.encode()).decode()
            yield Planted("private key", "PEM in base64", f"  tls.key: {in_base64}", (in_base64,))
    for _ in range(6):
        opaque, wire = draw.of(URL_SAFE, 48), draw.of(BASE64, 43) + "="
        yield Planted("private key", "WireGuard", f"[Interface]\nPrivateKey = {wire}\nAddress = 10.0.0.2/32", (wire,))
        yield Planted("credential", "header", f"x-amz-security-token: {opaque}", (opaque,))
        yield Planted("credential", "header", f"'authorization': 'token {opaque}9'", (opaque,))
        yield Planted("credential", "header", f"[authorization: Bearer {opaque}]", (opaque,))
        yield Planted("credential", "header", f"Authorization=Bearer%20{opaque}&x=1", (opaque,))
        yield Planted(
            "credential", "signed address", f"PUT /b/k?X-Amz-Signature={draw.of(HEX, 8)}{opaque} 403", (opaque,)
        )
        yield Planted(
            "credential",
            "signed address",
            f"?sv=2024-01-01&sig={quote(wire, safe='')}&se=2026",
            (wire, quote(wire, safe="")),
        )
        yield Planted("credential", "cookie", f"cookies={{'sessionid': '{opaque}', 'theme': 'dark'}}", (opaque,))
