"""A real browser on the running pages: uvicorn on the test database and Valkey, Chromium driven by Playwright."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from copilot import signin
from tests import cast
from tests.services import free_port

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
Result = TypeVar("Result")
expect.set_options(timeout=20_000)  # other tests use the processors too


class Site:
    """The pages on one address. `stop` and `start` are a restart that open pages live through."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._beside = ThreadPoolExecutor(1)

    def start(self) -> None:
        from channels.routing import ProtocolTypeRouter
        from django.core.asgi import get_asgi_application

        from copilot.routing import websocket_application

        application = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": websocket_application})
        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=self.port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the web server did not start within 20 s"
            time.sleep(0.05)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    def do(self, act: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Call the domain from a thread of its own: this one runs the browser's event loop, where Django refuses to query."""

        def called() -> Result:
            try:
                return act(*arguments, **named)
            finally:
                connections["default"].close()

        return self._beside.submit(called).result(timeout=60)

    def sign_in(self, page: Page, user: User) -> None:
        page.goto(self.url + self.do(signin.create_link, user, now=timezone.now()))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/incidents/")


@pytest.fixture(scope="session")
def assets() -> None:
    """The static files where the web server looks for them."""
    call_command("collectstatic", "--noinput", verbosity=0)


@pytest.fixture
def site(transactional_db: None, assets: None) -> Iterator[Site]:
    running = Site()
    running.start()
    yield running
    running.stop()
    connections["default"].close_pool()


@pytest.fixture
def mira(site: Site) -> User:
    return site.do(cast.mira)


@pytest.fixture
def browser() -> Iterator[Callable[..., BrowserContext]]:
    """Open a window: `browser(width=360, theme="dark")`. The journey fails on any script error or refused resource."""
    if CHROMIUM is None or not find_library("atomic"):
        pytest.skip("no Chromium or no libatomic (Playwright needs it): apt-get install chromium libatomic1, as root")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        def window(*, width: int = 1440, theme: str = "light") -> BrowserContext:
            context = chromium.new_context(
                viewport={"width": width, "height": 844 if width < 500 else 900},
                color_scheme=theme,  # type: ignore[arg-type]
                has_touch=width < 500,
                reduced_motion="reduce",
            )
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            context.set_default_timeout(30_000)
            return context

        yield window
        chromium.close()
    unexpected = [line for line in complaints if not _is_about_a_stopped_server(line)]
    assert not unexpected, unexpected


def _is_about_a_stopped_server(line: str) -> bool:
    # What Chromium itself writes when a socket or request finds nobody; journeys that stop the server expect it.
    return "ERR_CONNECTION_REFUSED" in line or ("WebSocket connection" in line and "failed" in line)


@pytest.fixture
def page(site: Site, browser: Callable[..., BrowserContext], mira: User) -> Page:
    """Mira's window, signed in, on the list."""
    opened = browser().new_page()
    site.sign_in(opened, mira)
    return opened


def faults_of(page: Page) -> list[str]:
    """What axe-core (WCAG 2.2 A and AA, best practice) and a ruler find wrong on the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(
        """async () => {
          const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
          const { violations } = await axe.run(document, { runOnly: rules });
          const said = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
          const wide = document.documentElement.scrollWidth;
          return wide > innerWidth ? [...said, `the page is ${wide} px wide in a window of ${innerWidth} px`] : said;
        }"""
    )
    return found
