"""Settings: the only place that reads the environment. A bad value names its variable and what is allowed."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from copilot.embedded import addresses

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Where one machine keeps its data, sockets and logs.
VAR_DIR = Path(env.str("COPILOT_VAR", default=str(BASE_DIR / "var"))).resolve()


def _seconds(name: str, *, default: float) -> timedelta:
    value = env.float(name, default=default)
    if value <= 0:
        raise ImproperlyConfigured(f"{name}={value}: give a number of seconds above 0, for example {default:g}.")
    return timedelta(seconds=value)


def _bounded(name: str, *, default: int, most: int) -> int:
    value: int = env.int(name, default=default)
    if not 1 <= value <= most:
        raise ImproperlyConfigured(f"{name}={value}: give a whole number from 1 to {most}.")
    return value


def _url(name: str, *, default: str, schemes: tuple[str, ...]) -> str:
    value: str = env.str(name, default=default)
    if urlsplit(value).scheme not in schemes:
        raise ImproperlyConfigured(
            f"{name}={value!r}: give a URL that starts with {' or '.join(s + '://' for s in schemes)}."
        )
    return ",".join(each.strip() for each in value.split(","))


def _language_model(name: str, *, default: str) -> str:
    value: str = env.str(name, default=default).strip()
    for each in value.split(",") if value not in ("none", default) else ():
        provider, _, model = each.strip().partition(":")
        if each.strip() != "local" and not (provider in ("openai", "anthropic", "ollama", "http", "https") and model):
            raise ImproperlyConfigured(
                f"{name}={value!r}: give openai:MODEL, anthropic:MODEL, ollama:MODEL, the URL of an OpenAI-compatible server, local,"
                " or several of these with commas, the next asked when one fails; or none."
            )
    return ",".join(each.strip() for each in value.split(","))


DEBUG = env.bool("COPILOT_DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or addresses.secret_key(VAR_DIR)
# Seals the audit log; not in the database, so that who can change that cannot forge this.
AUDIT_KEY = env.str("COPILOT_AUDIT_KEY", default="") or addresses.secret_key(VAR_DIR, "audit/key")
AUDIT_HEAD_FILE = VAR_DIR / "audit" / "head.log"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS=*: name the hosts; with '*' every web site could open a socket to this one."
    )
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Each address below is the embedded service's unless a managed one is named.
DATABASE_URL = _url("DATABASE_URL", default=addresses.database_url(VAR_DIR), schemes=("postgres", "postgresql"))
REDIS_URL = _url("REDIS_URL", default=addresses.redis_url(VAR_DIR), schemes=("redis", "rediss", "unix"))
CHROMA_URL = _url("CHROMA_URL", default=addresses.chroma_url(VAR_DIR), schemes=("http", "https"))
PROMETHEUS_URL = env.str("PROMETHEUS_URL", default="")
# openai:MODEL, anthropic:MODEL, ollama:MODEL, the URL of an OpenAI-compatible server, local, or none.
COPILOT_LLM = _language_model("COPILOT_LLM", default="local")
# Another model for one purpose, in the same form; empty: COPILOT_LLM.
COPILOT_LLM_FOR = {
    purpose: _language_model(f"COPILOT_LLM_{purpose.upper()}", default="")
    for purpose in ("explain", "chat", "investigation")
}
COPILOT_LLM_MODEL = env.str("COPILOT_LLM_MODEL", default="")  # with a URL: which of the server's models
COPILOT_LLM_API_KEY = env.str("COPILOT_LLM_API_KEY", default="")  # with a URL: its key, if it wants one
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
ANTHROPIC_API_KEY = env.str("ANTHROPIC_API_KEY", default="")
OLLAMA_URL = _url("OLLAMA_URL", default="http://127.0.0.1:11434", schemes=("http", "https"))
# The embedding model is a local file: nothing is asked for it on the network, and its tokenizer starts no threads before a fork.
env.ENVIRON["HF_HUB_OFFLINE"], env.ENVIRON["TOKENIZERS_PARALLELISM"] = "1", "false"
env.ENVIRON["CELERY_SKIP_CHECKS"] = "1"  # a worker would import every page to run the checks that `up` has run
# Nothing about a conversation goes to a tracing service, whatever the environment says.
env.ENVIRON["LANGSMITH_TRACING"] = env.ENVIRON["LANGCHAIN_TRACING_V2"] = "false"
LOCAL_LLM_URL = addresses.local_llm_url(VAR_DIR)
LOCAL_LLM_FILE = Path(
    env.str("COPILOT_LLM_FILE", default=str(VAR_DIR / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"))
)
WEB_HOST = env.str("COPILOT_HOST", default="127.0.0.1")
WEB_PORT = env.int("COPILOT_PORT", default=8000)

# Limits and time-outs of the model calls.
LLM_FIRST_TOKEN_TIMEOUT = _seconds("COPILOT_LLM_FIRST_TOKEN_SECONDS", default=30)
LLM_IDLE_TIMEOUT = _seconds("COPILOT_LLM_IDLE_SECONDS", default=20)
LLM_TOTAL_TIMEOUT = _seconds("COPILOT_LLM_TOTAL_SECONDS", default=120)
LLM_PROMPT_TOKENS = env.int("COPILOT_LLM_PROMPT_TOKENS", default=1200)
LLM_PROMPT_VERSION = env.str("COPILOT_LLM_PROMPT_VERSION", default="1")
_prompt_versions = sorted(folder.name for folder in (BASE_DIR / "templates" / "prompts" / "answer").iterdir())
if LLM_PROMPT_VERSION not in _prompt_versions:
    raise ImproperlyConfigured(
        f"COPILOT_LLM_PROMPT_VERSION={LLM_PROMPT_VERSION!r}: give one of {', '.join(_prompt_versions)}."
    )
# What models may cost, in US dollars; a model whose price is not known is counted at the dearest price that is.
LLM_USD_PER_DAY = env.float("COPILOT_LLM_USD_PER_DAY", default=20)
LLM_USD_PER_INCIDENT = env.float("COPILOT_LLM_USD_PER_INCIDENT", default=2)
# Explanations that nobody asked for: at most so many an hour and at once; the others wait, the gravest incidents first.
LLM_RUNS_PER_HOUR = env.int("COPILOT_LLM_RUNS_PER_HOUR", default=60)
LLM_RUNS_AT_ONCE = env.int("COPILOT_LLM_RUNS_AT_ONCE", default=2)
# What one question may take of a model that calls tools: steps, seconds in all; and tokens, for an incident and for a day (UTC).
INVESTIGATION_STEPS = _bounded("COPILOT_INVESTIGATION_STEPS", default=25, most=25)
INVESTIGATION_SECONDS = _bounded("COPILOT_INVESTIGATION_SECONDS", default=270, most=270)
INVESTIGATION_TOKENS_PER_INCIDENT = env.int("COPILOT_INVESTIGATION_TOKENS_PER_INCIDENT", default=500_000)
INVESTIGATION_TOKENS_PER_DAY = env.int("COPILOT_INVESTIGATION_TOKENS_PER_DAY", default=5_000_000)
# Further models that an answer may be written again with, for comparison; in the form of COPILOT_LLM.
COPILOT_LLM_COMPARE = _language_model("COPILOT_LLM_COMPARE", default="")

# Telemetry intake and the hot store.
OTLP_MAX_BYTES = env.int("COPILOT_OTLP_MAX_BYTES", default=8 * 1024 * 1024)  # after decompression
OTLP_TOKEN = env.str("COPILOT_OTLP_TOKEN", default="")  # with it, exporters must send `Authorization: Bearer …`
METRICS_TOKEN = env.str("COPILOT_METRICS_TOKEN", default="")  # with it, /metrics wants `Authorization: Bearer …`
HOT_STORE_RETENTION = timedelta(hours=env.float("COPILOT_RETENTION_HOURS", default=72))
TEXT_MASK = "incidents.intake.masking.mask"  # what runbooks are put through too, which know nothing of incidents
MASK_IP_ADDRESSES = env.bool("COPILOT_MASK_IPS", default=False)
DETECT_EVERY = _seconds("COPILOT_DETECT_SECONDS", default=15)

# Notifications: a mail server such as smtp+tls://user:password@mail.example.com:587, and the hosts (or host:port) that webhooks may go to.
PUBLIC_URL = _url("COPILOT_PUBLIC_URL", default=f"http://{WEB_HOST}:{WEB_PORT}", schemes=("http", "https")).rstrip("/")
NOTIFY_HOSTS = [host.lower() for host in env.list("COPILOT_NOTIFY_HOSTS", default=[])]
_mail = env.email_url("COPILOT_EMAIL_URL", default="smtp://")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"] or "", _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"] or "", _mail["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("COPILOT_EMAIL_FROM", default="copilot@localhost")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "ninja",  # for the API's description page, with its assets from here
    "copilot.apps.CopilotConfig",
    "incidents.apps.IncidentsConfig",
    "runbooks.apps.RunbooksConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "copilot.actor.ActingPerson",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]
ROOT_URLCONF = "copilot.urls"
ASGI_APPLICATION = "copilot.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "copilot.views.frame.frame",
            ],
        },
    },
]

DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    CONN_MAX_AGE=0,
    OPTIONS={
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": env.int("COPILOT_DB_POOL", default=8), "timeout": 5},
        "connect_timeout": 5,
        "options": "-c statement_timeout=30000 -c lock_timeout=5000",
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "copilot"},
    }
}
# Celery names a Unix socket in its own way: unix:///path?db=0 is redis+socket:///path?virtual_host=0.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
BEAT_SCHEDULE_FILE = VAR_DIR / "run" / "beat-schedule"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "incident-list"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
if env.bool("COPILOT_HTTPS", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
# Third-party assets come from the package manager; only the folders that a page needs are served.
STATICFILES_DIRS = [
    BASE_DIR / "static",
    *(
        (f"vendor/{name}", BASE_DIR / "node_modules" / folder)
        for name, folder in (("htmx", "htmx.org/dist"), ("idiomorph", "idiomorph/dist"), ("uplot", "uplot/dist"))
        if (BASE_DIR / "node_modules" / folder).is_dir()
    ),
]
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "copilot.log_lines.OneLineFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # One line for each request, and for each task that is due, is too much.
    "loggers": {name: {"level": "WARNING"} for name in ("httpx", "httpx2", "celery.beat")},
    "root": {"handlers": ["console"], "level": env.str("COPILOT_LOG_LEVEL", default="INFO")},
}
