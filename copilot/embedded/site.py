"""Our own processes: the web server, the workers, the schedule and the relay; and everything one `var/` runs, in order."""

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvicorn
from celery import current_app
from django.core.management import call_command

from copilot.embedded import addresses, model_server, postgres, valkey, vector_index
from copilot.embedded.child import EmbeddedError, Program
from copilot.embedded.model_server import GAVE_UP
from copilot.embedded.pinging import why_worker_is_silent
from copilot.embedded.running import ComponentState
from copilot.embedded.supervisor import Component
from incidents import mttr

ROOT = Path(__file__).resolve().parents[2]
# What takes a second is not to wait behind what takes a minute: alerts reach an open board in time whatever is being explained.
QUEUES = ("detect", "intake", "act")
ANSWER_QUEUES = ("investigate", "chat")
EMBED_QUEUE = "embed"
LOAD_STATISTICS_AFTER = 5.0  # seconds of serving


@dataclass(frozen=True)
class Plan:
    """What to run: the addresses from the settings, and the choices of whoever starts it."""

    var: Path
    database_url: str
    redis_url: str
    broker_url: str
    chroma_url: str
    llm: str
    model_file: Path
    web_host: str
    web_port: int
    answers_at_once: int = 0  # by a hosted model, which takes many; the others are answered one after the other
    variables: Mapping[str, str] = field(default_factory=dict)  # for our own processes

    @property
    def url(self) -> str:
        """The site's address in a browser on this machine."""
        host = "127.0.0.1" if self.web_host in {"", "0.0.0.0", "::"} else self.web_host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.web_port}"

    def managed(self) -> list[ComponentState]:
        """The services that run elsewhere, each with its host."""
        found = []
        if self.database_url != addresses.database_url(self.var):
            found.append(_managed("postgres", self.database_url))
        if self.redis_url != addresses.redis_url(self.var):
            found.append(_managed("valkey", self.redis_url))
        if self.chroma_url != addresses.chroma_url(self.var):
            found.append(_managed("chroma", self.chroma_url))
        if "local" not in self.llm.split(","):
            detail = (
                "no model: answers are the evidence brief"
                if self.llm == "none"
                else self.llm.partition("@")[2] or self.llm
            )
            found.append(ComponentState(name="model-server", state="managed", detail=detail))
        return found


def _managed(name: str, url: str) -> ComponentState:
    return ComponentState(name=name, state="managed", detail=urlsplit(url).hostname or urlsplit(url).path)


def choose_ports(var: Path) -> None:
    """Choose the ports of the embedded services, the usual ones where they are free, and write them down for every process."""
    chosen: dict[str, int] = {}
    for name, usual in (addresses.DEFAULT_PORTS | addresses.ports(var)).items():
        chosen[name] = usual if port_is_free("127.0.0.1", usual) else _any_free_port()
    addresses.keep_ports(var, chosen)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server can listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def components(plan: Plan) -> list[Component]:
    """Return everything that runs here, in starting order. Raises EmbeddedError when a service cannot be prepared."""
    elsewhere = {component.name for component in plan.managed()}
    return [
        component for component in (*_services(plan, elsewhere), *_own(plan)) if component.program.name not in elsewhere
    ]


def load() -> None:
    """Import what our own processes need, once for all of them: they are forked from this one.

    The web server's application itself is made in its own process, when the static files that it looks at are there.
    """
    import_module("copilot.urls")
    import_module("copilot.routing")
    current_app.loader.import_default_modules()


def _services(plan: Plan, elsewhere: set[str]) -> list[Component]:
    var, sockets = plan.var, addresses.prepare_sockets(plan.var)
    found = []
    if "postgres" not in elsewhere:
        cluster = postgres.prepare(data=var / "postgres", sockets=sockets / "postgres")
        found.append(Component(postgres.program(cluster)))
    if "valkey" not in elsewhere:
        found.append(Component(valkey.program(data=var / "valkey", socket=sockets / "valkey.sock")))
    if "chroma" not in elsewhere:
        found.append(Component(vector_index.program(data=var / "chroma", port=addresses.port(var, "chroma"))))
    if "model-server" not in elsewhere:
        fetch = plan.model_file.parent == var / "models"
        server = model_server.program(file=plan.model_file, port=addresses.port(var, "model-server"), fetch=fetch)
        # After the site: loading a model takes every core for some seconds, and pages work without it.
        found.append(Component(server, needs=("web", "worker"), optional=True, gave_up=GAVE_UP))
    return found


def _own(plan: Plan) -> list[Component]:
    """Return our own processes. A hosted model answers many at once; one on this machine has its cores to share."""
    chats = [Component(_chat_worker(plan), needs=("prepare", "valkey"))] if plan.answers_at_once else []
    prepare = _program("prepare", lambda: call_command("prepare"))
    return [
        Component(prepare, needs=("postgres",), once=True, start_seconds=300),
        Component(_web(plan), needs=("prepare", "valkey")),
        Component(_worker(plan, "worker", QUEUES, processes=1), needs=("prepare", "valkey")),
        Component(_worker(plan, "worker-answers", ANSWER_QUEUES, processes=2), needs=("prepare", "valkey")),
        *chats,
        Component(_worker(plan, "worker-embed", (EMBED_QUEUE,), processes=1), needs=("prepare", "valkey", "chroma")),
        Component(_program("relay", lambda: call_command("relay", beat=True)), needs=("prepare", "valkey")),
    ]


def _program(name: str, command: Callable[[], object]) -> Program:
    """A process without an address of its own: it is ready as soon as it runs."""
    return Program(name=name, command=command, ready=lambda: None, folder=ROOT)


def _web(plan: Plan) -> Program:
    client = httpx.Client(timeout=1, trust_env=False)  # one for all questions: making one loads every known certificate

    def why_not() -> str | None:
        try:
            answer = client.get(f"{plan.url}/health/live")
        except httpx.HTTPError as error:
            return str(error)
        return None if answer.status_code == 200 else f"/health/live answers {answer.status_code}"

    def serve() -> None:
        # The first page with trends would otherwise wait for SciPy; the start must not.
        loading = threading.Timer(LOAD_STATISTICS_AFTER, mttr.load)
        loading.daemon = True
        loading.start()
        uvicorn.run(
            "copilot.asgi:application",
            host=plan.web_host,
            port=plan.web_port,
            ws_max_size=65536,
            lifespan="off",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            http="copilot.header_limit:PromptHttpProtocol",
        )

    return Program(name="web", command=serve, ready=why_not, folder=ROOT, stop_seconds=10)


def _worker(plan: Plan, name: str, queues: tuple[str, ...], *, processes: int) -> Program:
    return Program(
        name=name,
        command=lambda: call_command("worker", name=name, queues=",".join(queues), processes=processes),
        ready=lambda: why_worker_is_silent(plan.broker_url, f"{name}@copilot"),
        folder=ROOT,
    )


def _chat_worker(plan: Plan) -> Program:
    name = "worker-chat"
    return Program(
        name=name,
        command=lambda: call_command("worker", name=name, queues="chat", threads=plan.answers_at_once),
        ready=lambda: why_worker_is_silent(plan.broker_url, f"{name}@copilot"),
        folder=ROOT,
    )


def require_free_port(plan: Plan) -> None:
    """Raise EmbeddedError when something else listens on the site's port."""
    if not port_is_free(plan.web_host, plan.web_port):
        raise EmbeddedError(
            f"Port {plan.web_port} on {plan.web_host} is in use by another program. "
            f"Stop that one, or take another port: `manage.py up --port {plan.web_port + 1}` (or COPILOT_PORT)."
        )
