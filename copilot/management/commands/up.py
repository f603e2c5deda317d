"""`manage.py up`: starts every service and process of this machine, and keeps them running."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError

from copilot.checks import TAG
from copilot.embedded import addresses, model_file, running, site
from copilot.embedded.child import EmbeddedError, rotate_log
from copilot.embedded.running import ComponentState, RunState, VarLock
from copilot.embedded.site import Plan
from copilot.embedded.supervisor import Supervisor
from copilot.llm import providers
from copilot.llm.purposes import Purpose

HOSTED_ANSWERS_AT_ONCE = 20
LEAST_FREE_BYTES = 300_000_000
DETACHED_START_SECONDS = 300.0


def plan(*, port: int | None = None, no_llm: bool = False) -> Plan:
    """Put together what the settings and the command line ask to run."""
    models = _named_models(no_llm=no_llm)
    web_port = port or settings.WEB_PORT
    return Plan(
        var=settings.VAR_DIR,
        database_url=settings.DATABASE_URL,
        redis_url=settings.REDIS_URL,
        broker_url=settings.CELERY_BROKER_URL,
        chroma_url=settings.CHROMA_URL,
        llm=",".join(dict.fromkeys(each for named in models.values() for each in named.split(",") if each)),
        model_file=settings.LOCAL_LLM_FILE,
        answers_at_once=0 if no_llm else _answers_at_once(),
        web_host=settings.WEB_HOST,
        web_port=web_port,
        variables={**models, "COPILOT_PORT": str(web_port), "COPILOT_VAR": str(settings.VAR_DIR)},
    )


def _answers_at_once() -> int:
    """Return how many questions are answered side by side by a process of their own: none while a model on this machine answers."""
    choices = providers.choose(Purpose.CHAT)
    is_hosted = bool(choices) and not any(choice.is_on_this_machine for choice in choices)
    return HOSTED_ANSWERS_AT_ONCE if is_hosted else 0


def _named_models(*, no_llm: bool = False) -> dict[str, str]:
    """Return which models the settings name, by the variable that names them; "none" for all with `no_llm`."""
    purposes = {f"COPILOT_LLM_{purpose.upper()}": named for purpose, named in settings.COPILOT_LLM_FOR.items()}
    return {"COPILOT_LLM": "none" if no_llm else settings.COPILOT_LLM} | {
        name: "" if no_llm else named for name, named in purposes.items()
    }


def use_ports(var: Path) -> None:
    """Choose the ports of the embedded services and correct this process's settings, which were read before."""
    embedded = addresses.chroma_url(var) == settings.CHROMA_URL
    site.choose_ports(var)
    _follow_ports(var, chroma_is_embedded=embedded)


def _follow_ports(var: Path, *, chroma_is_embedded: bool) -> None:
    if chroma_is_embedded:
        settings.CHROMA_URL = addresses.chroma_url(var)
    settings.LOCAL_LLM_URL = addresses.local_llm_url(var)


class Command(BaseCommand):
    """In the foreground until Ctrl-C, or with --detach in the background once everything is up."""

    help = "Start every service and process of this machine under one supervisor."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--detach", action="store_true", help="return once everything is up; `manage.py down` stops it"
        )
        parser.add_argument("--port", type=int, help="the site's port (default: COPILOT_PORT, 8000)")
        parser.add_argument("--no-llm", action="store_true", help="no language model: answers are the evidence brief")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["detach"]:
                self._start_in_background(options)
            else:
                self._run(port=options["port"], no_llm=options["no_llm"])
        except (EmbeddedError, PermissionError) as error:
            raise CommandError(str(error)) from error

    def _run(self, *, port: int | None, no_llm: bool) -> None:
        var = settings.VAR_DIR
        lock = VarLock(var)
        lock.acquire()
        require_space(var)
        use_ports(var)
        wanted = plan(port=port, no_llm=no_llm)
        _start_anew_with(wanted.variables)
        site.require_free_port(wanted)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        self._check()
        managed = wanted.managed()
        for component in managed:
            self._say(f"{component.name:<14} managed    {component.detail}")
        state = _State(wanted)
        supervisor = Supervisor(site.components(wanted), logs=var / "log", report=self._say, record=state.record)
        began = time.monotonic()
        site.load()
        if supervisor.start(stop=stop):
            state.mark_started()
            self._say(f"Everything is up after {time.monotonic() - began:.1f} s: {wanted.url}")
            self._say_what_the_model_does(wanted)
            supervisor.run(stop=stop)
        self._say("Stopping.")
        supervisor.stop()
        lock.release()

    def _say_what_the_model_does(self, wanted: Plan) -> None:
        if "local" not in wanted.llm.split(","):
            return
        size = model_file.DEFAULT.size / model_file.GIGABYTE
        does = "is loaded" if wanted.model_file.exists() else f"({size:.1f} GB) is fetched and loaded"
        log = wanted.var / "log" / "model-server.log"
        self._say(f"The local model {does} in the background ({log}); until then the evidence brief answers.")

    def _check(self) -> None:
        """Say what `manage.py check` says about this machine; an error ends the start."""
        for message in run_checks(tags=[TAG]):
            if message.is_serious():
                raise EmbeddedError(f"{message.msg} {message.hint}")
            if message.id != "copilot.W002":  # the port was looked at before, and may be another than the settings'
                self._say(f"warning: {message.msg} {message.hint}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _start_in_background(self, options: dict[str, Any]) -> None:
        var = settings.VAR_DIR
        if pid := running.owner(var):
            raise EmbeddedError(
                f"It already runs on {var} (process {pid}). `manage.py status` shows it, `manage.py down` stops it."
            )
        embedded = addresses.chroma_url(var) == settings.CHROMA_URL
        log = var / "log" / "up.log"
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        rotate_log(log)
        command = _with_variables(plan(port=options["port"], no_llm=options["no_llm"]).variables)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=site.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._follow(process, log=log, var=var)
        _follow_ports(var, chroma_is_embedded=embedded)

    def _follow(self, process: subprocess.Popen[bytes], *, log: Path, var: Path) -> None:
        until = time.monotonic() + DETACHED_START_SECONDS
        with log.open(encoding="utf-8", errors="replace") as lines:
            while True:
                ended = process.poll() is not None
                state = running.read_state(var)
                for line in lines:
                    self._say(line.rstrip("\n"))
                if state is not None and state.started:
                    return
                if ended:
                    raise EmbeddedError(f"It did not start; {log} says why, too.")
                if time.monotonic() > until:
                    process.terminate()
                    raise EmbeddedError(
                        f"It did not start within {DETACHED_START_SECONDS:g} s; {log} says how far it came."
                    )
                time.sleep(0.1)


def _start_anew_with(variables: Mapping[str, str]) -> None:
    """Begin again when the command line says other than the environment: settings are read from that, here and in what is forked."""
    settled = {
        **_named_models(),
        "COPILOT_PORT": str(settings.WEB_PORT),
        "COPILOT_VAR": str(settings.VAR_DIR),
    }
    if any(settled[name] != value for name, value in variables.items()):
        command = _with_variables(variables)
        os.execvp(command[0], command)  # noqa: S606 - ourselves


def _with_variables(variables: Mapping[str, str]) -> list[str]:
    """Return the command that runs `up` with these in its environment."""
    # Fewer malloc arenas: threads would otherwise each keep their own free memory.
    given = {"MALLOC_ARENA_MAX": "2", **variables}
    pairs = [f"{name}={value}" for name, value in given.items()]
    return ["env", *pairs, sys.executable, str(site.ROOT / "manage.py"), "up"]


class _State:
    """Writes down what the supervisor reports, beside the services that run elsewhere."""

    def __init__(self, wanted: Plan) -> None:
        self._plan = wanted
        self._started_at = datetime.now(tz=UTC).isoformat(timespec="seconds")
        self._started = False
        self._components: Sequence[ComponentState] = ()

    def record(self, components: Sequence[ComponentState]) -> None:
        self._components = components
        self._write()

    def mark_started(self) -> None:
        self._started = True
        self._write()

    def _write(self) -> None:
        state = RunState(
            pid=os.getpid(),
            url=self._plan.url,
            started_at=self._started_at,
            started=self._started,
            components=(*self._plan.managed(), *self._components),
        )
        running.write_state(self._plan.var, state)


def require_space(var: Path) -> None:
    """Raise EmbeddedError when the disk is as good as full."""
    free = shutil.disk_usage(var).free
    if free < LEAST_FREE_BYTES:
        raise EmbeddedError(
            f"{var} has {free / 1e6:.0f} MB free, at least {LEAST_FREE_BYTES / 1e6:.0f} MB are needed to start. "
            "Make room, or set COPILOT_VAR to a folder on another disk."
        )
