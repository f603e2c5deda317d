"""How the keys look that well-known services issue, each as its own documentation says. Plain Python, no settings."""

import re
from collections.abc import Sequence

# One service a line: what its keys begin with and what follows. Beginnings tell them from any other text; the lengths are least ones.
KEY_FORMATS: Sequence[str] = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",  # AWS
    r"LTAI[A-Za-z0-9]{16,}",  # Alibaba
    r"AKID[A-Za-z0-9]{32}",  # Tencent
    r"gh[opsru]_[A-Za-z0-9]{30,}",  # GitHub
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[\w-]{20,}",  # GitLab
    r"xox[abeprs]-[\w-]{10,}",  # Slack
    r"xapp-\d-[\w-]{20,}",
    r"[sr]k_(?:live|test)_\w{16,}",  # Stripe
    r"pk_(?:live|test)_\w{16,}",
    r"whsec_[A-Za-z0-9+/]{24,}={0,2}",
    r"sk-[\w-]{20,}",  # OpenAI, Anthropic and many compatible servers
    r"AIza[\w-]{35}",  # Google
    r"ya29\.[\w-]{20,}",
    r"GOCSPX-[\w-]{24,}",
    r"1//0[\w-]{40,}",
    r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",  # Braintree
    r"EAAA[\w-]{50,}",  # Square
    r"rzp_(?:live|test)_\w{14}",  # Razorpay
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[\w-]{20,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
    r"hv[sbr]\.[\w-]{20,}",  # HashiCorp Vault
    r"SK[0-9a-f]{32}",  # Twilio
    r"key-[0-9a-f]{32}",  # Mailgun
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # Shopify
    r"sq0(?:atp|csp|idp)-[\w-]{22,}",  # Square
    r"dapi[a-f0-9]{32}(?:-\d)?",  # Databricks
    r"glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_\w{32}_[a-fA-F0-9]{8}",  # Grafana
    r"NRAK-[A-Z0-9]{27}|NRII-[\w-]{32}|NRJS-[a-f0-9]{19}",  # New Relic
    r"sntry[su]_[A-Za-z0-9+/=_]{40,}",  # Sentry
    r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",  # Dynatrace
    r"lin_api_[A-Za-z0-9]{40}",  # Linear
    r"ntn_[A-Za-z0-9]{40,}",  # Notion
    r"AT[AC]TT3[\w=-]{40,}|ATBB[A-Za-z0-9]{24,}",  # Atlassian
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",  # Airtable
    r"dp\.(?:pt|st|ct|sa)\.[\w.]{40,}",  # Doppler
    r"pscale_(?:pw|tkn|oauth)_[\w.-]{32,}",  # PlanetScale
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",  # Postman
    r"pul-[a-f0-9]{40}",  # Pulumi
    r"rubygems_[a-f0-9]{48}",
    r"cio[A-Za-z0-9]{32}",  # crates.io
    r"CLOJARS_[a-z0-9]{60}",
    r"FLWSECK(?:_TEST)?-[\w-]{32,}",  # Flutterwave
    r"shippo_(?:live|test)_[a-f0-9]{40}",
    r"sbp_[a-f0-9]{40}",  # Supabase
    r"r8_[A-Za-z0-9]{37,}",  # Replicate
    r"gsk_[A-Za-z0-9]{40,}",  # Groq
    r"xai-[A-Za-z0-9]{60,}",
    r"pplx-[A-Za-z0-9]{40,}",  # Perplexity
    r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",  # LangSmith
    r"ph[cx]_[A-Za-z0-9]{40,}",  # PostHog
    r"dckr_(?:pat|oat)_[\w-]{24,}",  # Docker
    r"tskey-[a-z]+-\w+-\w{20,}",  # Tailscale
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"AKCp[A-Za-z0-9]{60,}",  # Artifactory
    r"HRKU-[\w-]{36,}",  # Heroku
    r"nfp_[A-Za-z0-9]{36,}",  # Netlify
    r"aio_[A-Za-z0-9]{28}",  # Adafruit
    r"EZ[AT]K[A-Za-z0-9]{54}",  # EasyPost
    r"sgp_(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40}",  # Sourcegraph
    r"pnu_[A-Za-z0-9]{36}",  # Prefect
    r"rdme_[a-z0-9]{70}",  # ReadMe
    r"tfp_[\w.-]{40,}",  # Typeform
    r"CFPAT-[\w-]{43}",  # Contentful
    r"fm2_[A-Za-z0-9+/=]{60,}",  # Fly.io
    r"ico-[A-Za-z0-9]{32}",  # Infracost
    r"duffel_(?:live|test)_[\w-]{43}",
    r"fio-u-[\w-]{64}",  # Frame.io
    r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",  # Cloudflare origin
    r"sl\.[\w-]{120,}",  # Dropbox
    r"secret_[A-Za-z0-9]{43}",
)
# Keys that begin with anything, by what always stands in them (lower case).
MARKED_KEYS: Sequence[tuple[str, str]] = (
    ("hooks.slack.com", r"(?<=hooks\.slack\.com/services/)T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/\w{20,}"),
    ("api/webhooks/", r"(?<=/api/webhooks/)\d{17,20}/[\w-]{60,}"),  # Discord
    (".", r"\b[MNO][A-Za-z0-9]{23,25}\.[\w-]{6}\.[\w-]{27,}"),  # Discord, of a bot
    (".atlasv1.", r"\b\w{14}\.atlasv1\.[\w-]{60,}"),  # Terraform
    ("-us", r"\b[0-9a-f]{32}-us\d{1,2}\b"),  # Mailchimp
    (":aa", r"\b\d{8,10}:AA[\w-]{33}"),  # Telegram
    ("q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}"),  # Azure application
)
JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")  # RFC 7519, of a JSON header
# The first two characters of the formats above. That one of them stands there is seen much faster than that none of the formats does.
_BEGINNINGS = (
    "LT 1/ ac EA rz AK AS AB AC AI AT AG gh gi gl gs xo xa sk rk pk wh ya GO np py SG hf do hv SK ke sh sq da NR sn dt li nt pa dp ps PM pu ru ci "
    "CL FL sb r8 pp ls ph dc ts HR nf ai EZ sg pn rd tf CF fm ic du fi v1 sl se"
)
_PAIRS = {pair[0]: "".join(p[1] for p in _BEGINNINGS.split() if p[0] == pair[0]) for pair in _BEGINNINGS.split()}
_LOOK = rf"(?=[{''.join(_PAIRS)}])(?={'|'.join(f'{first}[{seconds}]' for first, seconds in _PAIRS.items())})"
KEY = re.compile(rf"(?<![A-Za-z0-9_]){_LOOK}(?:{'|'.join(KEY_FORMATS)})")
# A stretch as long as the shortest key has: most lines have none. What stands before it may belong to the key ("SG.").
LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{20}")
SHORTEST, BEFORE = 20, 12  # characters
MARKED = tuple((mark, re.compile(pattern)) for mark, pattern in MARKED_KEYS)


def mask_keys(text: str, *, lowered: str, instead: str) -> str:
    """Return the text with each key replaced; `lowered` is the text in lower case."""
    run = LONG_RUN.search(text) if len(text) >= SHORTEST else None
    if run is None:
        return text
    if KEY.search(text, max(0, run.start() - BEFORE)):
        text = KEY.sub(instead, text)
    for mark, pattern in MARKED:
        if mark in lowered:
            text = pattern.sub(instead, text)
    return text
