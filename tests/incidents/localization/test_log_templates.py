import pytest

from incidents.localization.log_templates import TemplatedLines, is_alarming, template_lines
from incidents.telemetry.datamodel import LogRecord


def line(body: str, *, service: str = "shop", severity: int = 0) -> LogRecord:
    return LogRecord(0, service, severity, body, b"", 0, "{}")


def templates(*bodies: str) -> TemplatedLines:
    return template_lines([line(body) for body in bodies])


def test_values_differ_templates_do_not() -> None:
    found = templates(
        "2026-03-14T09:00:01.123Z INFO served order 4711 in 12.5ms from 10.0.0.7:443",
        "2026-03-14T09:00:02.456Z INFO served order 815 in 7ms from 10.0.0.9:443",
        "INFO served order 99 in 3s from 10.0.0.1:80",
    )
    assert set(found.template.tolist()) == {0}
    assert found.texts == ["INFO served order <number> in <duration> from <address>"]


def test_the_place_in_the_code_is_not_a_value() -> None:
    found = templates(
        "08:00:00.1 INFO c.s.Contacts#34 [find][repository.findById][Find contacts]",
        "08:00:00.2 INFO c.s.Contacts#37 [find][repository.findById][Find contacts]",
        "INFO orders.py:120 stored order 5",
        "INFO orders.py:133 stored order 5",
    )
    assert len(set(found.template.tolist())) == 4


def test_one_statement_in_the_code_has_one_template_whatever_words_were_put_in() -> None:
    cities = ("Suzhou", "Nanjing", "Shanghai, Suzhou", "Taiyuan")
    found = templates(*(f"08:00:0{n}.1 INFO c.s.Basic#45 [query][Stations: [{c}]]" for n, c in enumerate(cities)))
    assert found.texts == ["INFO c.s.Basic#45 [query][Stations: [<*>"]


def test_levels_and_services_never_share_a_template() -> None:
    found = template_lines(
        [
            line("ERROR could not reach peer 1"),
            line("WARN could not reach peer 2"),
            line("ERROR could not reach peer 3", service="till"),
        ]
    )
    assert len(set(found.template.tolist())) == 3
    assert list(found.owners) == ["shop", "shop", "till"]
    assert list(found.alarming) == [True, False, False] or list(found.alarming) == [True, False, True]
    assert found.alarming[0]


@pytest.mark.parametrize(
    ("body", "severity", "alarming"),
    [
        ("all is well", 17, True),
        ("Traceback: everything failed", 9, False),
        ("[ERROR] disk", 0, True),
        ("INFO the last error was mended", 0, False),
        ("connection refused by peer", 0, True),
        ("stored order", 0, False),
    ],
)
def test_what_speaks_of_a_failure(body: str, severity: int, alarming: bool) -> None:
    assert is_alarming(line(body, severity=severity)) is alarming


def test_strange_lines_do_no_harm() -> None:
    strange = ["", "   ", "\x00\x1b[31m" * 50, "9" * 5000, "a" * 100_000, "{" * 300, "<*> <*> <*>", "日本 語 12"]
    found = templates(*strange)
    assert len(found.template) == len(strange)
    assert all(len(text) < 2000 for text in found.texts)


def test_no_lines() -> None:
    assert templates().texts == []
