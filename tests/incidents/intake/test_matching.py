import pytest

from incidents.intake import matching
from incidents.models import Alert, AlertSource


def alert(**labels: str) -> Alert:
    return Alert(
        source=AlertSource(name="prod alertmanager"),
        name="HighLatency",
        service="payments",
        environment="prod",
        labels=labels,
    )


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        ({}, True),
        ({"service": "payments"}, True),
        ({"service": "payment"}, False),
        ({"service": "pay*"}, True),
        ({"service": "*ments"}, True),
        ({"service": "p*y*s"}, True),
        ({"service": "*"}, True),
        ({"name": "*Latency", "cluster": "eu-*"}, True),
        ({"name": "*Latency", "cluster": "us-*"}, False),
        ({"source": "prod*"}, True),
        ({"absent": "*"}, True),
        ({"absent": "x"}, False),
        ({"service": "payments*payments"}, False),
    ],
)
def test_every_matcher_must_fit(matchers: dict[str, str], fits: bool) -> None:
    assert matching.matches(alert(cluster="eu-1"), matchers) is fits


def test_a_hostile_pattern_takes_no_longer_than_its_length() -> None:
    assert not matching.matches(alert(path="a" * 2000), {"path": "a*" * 140 + "b"})


def test_text_is_read_line_by_line() -> None:
    assert matching.parse('service=payments\n\n cluster = "eu-*" ') == {"service": "payments", "cluster": "eu-*"}
    assert matching.in_words({"service": "payments"}) == "service=payments"
    assert matching.in_words({}) == "every alert"


@pytest.mark.parametrize(
    "text", ["service", "=x", "service=", "a" * 65 + "=x", "\n".join(f"l{i}=x" for i in range(11))]
)
def test_a_line_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(matching.BadMatcher):
        matching.parse(text)
