"""Against the real Prometheus server of Debian where it is installed, and against a stub for what a real one does not do on demand."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from incidents import monitoring
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import Window
from incidents.telemetry.prometheus import Prometheus, Query, render, step_for
from tests.services import free_port

END = datetime(2026, 3, 14, 4, 0, tzinfo=UTC)
HISTORY = timedelta(hours=2)
FAULT_AT = END - timedelta(minutes=8)
SCRAPE_SECONDS = 15
ODD_NAME = 'odd"} or vector(1) # \\ a.b|c'
PING = Query("up", "1", "up{$match}")


def write_history(path: Path) -> None:
    """Two hours of a shop as a scrape would have stored it; in the last eight minutes checkout fails and slows down."""
    rng = np.random.default_rng(1)
    moments = np.arange((END - HISTORY).timestamp(), END.timestamp(), SCRAPE_SECONDS)
    lines = ["# TYPE http_server_request_duration_seconds histogram"]
    for job in ("checkout", "catalog"):
        faulty = (moments >= FAULT_AT.timestamp()) & (job == "checkout")
        requests = rng.poisson(10 * SCRAPE_SECONDS, len(moments))
        failed = rng.binomial(requests, np.where(faulty, 0.4, 0.002))
        quick = rng.binomial(requests, np.where(faulty, 0.1, 0.97))
        for status, counts in (("200", requests - failed), ("500", failed)):
            lines += _histogram(job, status, moments, np.cumsum(counts), np.cumsum(np.minimum(quick, counts)))
    lines.append("# TYPE up gauge")
    for job in ("checkout", "catalog", ODD_NAME):
        lines += [f'up{{job="{_label(job)}",instance="a:1"}} 1 {moment:.3f}' for moment in moments]
    path.write_text("\n".join([*lines, "# EOF"]) + "\n", encoding="utf-8")


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _histogram(job: str, status: str, moments: np.ndarray, total: np.ndarray, quick: np.ndarray) -> list[str]:  # type: ignore[type-arg]
    name, labels = (
        "http_server_request_duration_seconds",
        f'job="{job}",instance="a:1",http_response_status_code="{status}"',
    )
    columns = [
        ("_bucket", ',le="0.1"', quick),
        ("_bucket", ',le="2.5"', total),
        ("_bucket", ',le="+Inf"', total),
        ("_count", "", total),
    ]
    return [
        f"{name}{suffix}{{{labels}{bound}}} {value} {moment:.3f}"
        for suffix, bound, values in columns
        for moment, value in zip(moments, values, strict=True)
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus with two hours of history; it scrapes itself."""
    program, tool = shutil.which("prometheus"), shutil.which("promtool")
    if not program or not tool:
        pytest.skip("prometheus and promtool are not installed (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    write_history(folder / "history.txt")
    subprocess.run(
        [tool, "tsdb", "create-blocks-from", "openmetrics", folder / "history.txt", folder / "data"],
        check=True,
        capture_output=True,
    )
    port = free_port()
    scrape = f"[{{job_name: itself, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]"
    (folder / "prometheus.yml").write_text(f"scrape_configs: {scrape}\n")
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"]  # fmt: skip
    with (folder / "log").open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, output.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/-/ready", timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"Prometheus was not ready in 20 s: {output.read_text()[-2000:]}")


def test_a_real_server_answers_with_series(server: str) -> None:
    with Prometheus(server) as backend:
        series = backend.fetch_metrics(Window(END - timedelta(hours=1), END))
    by_key = {(one.key.service, one.key.name): one for one in series}
    rate = by_key["catalog", "http_requests_per_second"]
    assert (rate.key.attributes, rate.key.unit) == ("{}", "1/s")
    assert len(rate.times) == 60
    np.testing.assert_array_equal(np.diff(rate.times), 60)
    assert rate.times[-1] < END.timestamp()
    assert np.median(rate.values) == pytest.approx(10, rel=0.1)
    failing = by_key["checkout", "http_error_ratio"]
    assert np.median(failing.values[-6:]) == pytest.approx(0.4, abs=0.05)
    assert np.nanmedian(by_key["checkout", "http_duration_p95"].values[-6:]) > 1


def test_services_limit_what_is_asked_for_and_cannot_end_the_query(server: str) -> None:
    window = Window(END - timedelta(minutes=10), END)
    with Prometheus(server, queries=[PING]) as backend:
        assert {one.key.service for one in backend.fetch_metrics(window)} == {"checkout", "catalog", ODD_NAME}
        assert {one.key.service for one in backend.fetch_metrics(window, services=[ODD_NAME])} == {ODD_NAME}
        assert {one.key.service for one in backend.fetch_metrics(window, services=["checkout", "x.*"])} == {"checkout"}
        assert not backend.fetch_metrics(window, services=[".*"])


def test_an_outage_is_found_in_it_and_a_calm_hour_is_calm(server: str) -> None:
    with Prometheus(server) as backend:
        [found] = monitoring.detect(backend, window=Window(END - timedelta(minutes=30), END))
        assert not monitoring.detect(backend, window=Window(END - timedelta(minutes=60), FAULT_AT))
    assert found.services == ("checkout",)
    assert abs(found.started_at - FAULT_AT) <= timedelta(minutes=1.5)
    assert found.opened_at - FAULT_AT <= timedelta(minutes=4)
    assert "requests fail" in found.title


def test_it_reads_what_it_scrapes_now(server: str) -> None:
    with Prometheus(server, queries=[PING]) as backend:
        for _ in range(40):
            now = datetime.now(UTC)
            series = backend.fetch_metrics(Window(now - timedelta(minutes=2), now + timedelta(minutes=1)))
            if any(one.key.service == "itself" for one in series):
                return
            time.sleep(0.5)
    pytest.fail("its own scrape never arrived")


def test_a_wrong_query_is_refused_with_the_servers_reason(server: str) -> None:
    with (
        Prometheus(server, queries=[Query("x", "", "rate(up{$match}")]) as backend,
        pytest.raises(TelemetryError) as caught,
    ):
        backend.fetch_metrics(Window(END - HISTORY, END))
    message = str(caught.value)
    assert all(part in message for part in (server.removeprefix("http://"), "400", "parse error", "rate(up{}"))


def window() -> Window:
    return Window(END - timedelta(minutes=10), END)


def test_a_server_that_is_away_is_named() -> None:
    port = free_port()
    with (
        Prometheus(f"http://127.0.0.1:{port}") as backend,
        pytest.raises(TelemetryError, match=f"127.0.0.1:{port} could not be reached after"),
    ):
        backend.fetch_metrics(window())


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"<html>Sign in</html>", 200, "something other than JSON"),
        (b"moved", 302, "answered 302"),
        (b'{"status":"error","error":"query timed out"}', 503, "query timed out"),
        (b'{"status":"success","data":{}}', 200, "no result list"),
        (b"[1]", 200, "no reason given"),
    ],
)
def test_an_answer_that_is_none_is_told(httpserver: HTTPServer, body: bytes, status: int, expected: str) -> None:
    httpserver.expect_request("/prefix/api/v1/query_range").respond_with_data(
        body, status=status, headers={"Location": "http://127.0.0.1:9/"}
    )
    with (
        Prometheus(httpserver.url_for("/prefix"), queries=[PING]) as backend,
        pytest.raises(TelemetryError, match=expected),
    ):
        backend.fetch_metrics(window())


def test_an_endless_answer_is_cut_off(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/query_range").respond_with_handler(
        lambda request: Response((b" " * 65536 for _ in range(400)), content_type="application/json")
    )
    with (
        Prometheus(httpserver.url_for(""), queries=[PING]) as backend,
        pytest.raises(TelemetryError, match="more than 10 MiB"),
    ):
        backend.fetch_metrics(window())


def test_a_server_that_drips_does_not_hold_a_worker(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/query_range").respond_with_data(b"{" + b" " * 300_000)
    seconds = iter(range(0, 1000, 6))
    backend = Prometheus(httpserver.url_for(""), queries=[PING], clock=lambda: next(seconds))
    with backend, pytest.raises(TelemetryError, match="still sending after 10 s"):
        backend.fetch_metrics(window())


def test_odd_values_and_labels_are_read(httpserver: HTTPServer) -> None:
    result = [
        {
            "metric": {"service": "a\0", "mountpoint": "/\ud800"},
            "values": [[1.0, "NaN"], [61.0, "+Inf"], [121.0, "3.5"]],
        },
        {"metric": {"instance": "host:1"}, "values": [[1.0, "1"]]},
        {"metric": {}, "values": []},
    ]
    answers: list[Request] = []

    def answer(request: Request) -> Response:
        answers.append(request)
        return Response(json.dumps({"status": "success", "data": {"result": result}}))

    httpserver.expect_request("/api/v1/query_range").respond_with_handler(answer)
    with Prometheus(httpserver.url_for(""), queries=[Query("x", "By", "x{$match}", keep=("mountpoint",))]) as backend:
        first, second = backend.fetch_metrics(window())
    assert (first.key.service, first.key.attributes, second.key.service) == ("a", '{"mountpoint": "/?"}', "host:1")
    np.testing.assert_array_equal(first.values, [np.nan, np.nan, 3.5])
    assert answers[0].form["step"] == "60"


def test_steps_keep_a_series_within_its_bound() -> None:
    for hours in (0.1, 1, 18, 19, 24 * 30, 24 * 4000):
        span = Window(END - timedelta(hours=hours), END)
        assert span.seconds / step_for(span) <= 1100
    assert step_for(window()) == 60


def test_names_are_data() -> None:
    assert render("x{$match}", label="job", services=['a"b\\c\n.*']) == 'x{job=~"a\\"b\\\\\\\\c\\n\\\\.\\\\*"}'
    assert render("rate(x{$match}[$rate]) by ($label)", label="app", services=None) == "rate(x{}[1m]) by (app)"


@pytest.mark.parametrize(("url", "label"), [("prometheus:9090", "job"), ("ftp://host", "job"), ("http://host", 'j"b')])
def test_a_bad_setting_is_refused_at_once(url: str, label: str) -> None:
    with pytest.raises(ValueError, match=r"PROMETHEUS_URL|service label"):
        Prometheus(url, service_label=label)
