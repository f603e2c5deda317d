import pytest

from copilot.llm.redaction import RedactionFailed, redact
from incidents.intake.masking import mask

# Written in two parts, so that no scanner takes the test for a leak.
SECRETS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "xoxb-" + "123456789012-abcdefghijkl",
    "sk-" + "proj-abcdefghijklmnopqrstuvwx",
    "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    "postgresql://app:" + "hunter2hunter2@db/app",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_the_mask_missed_stops_the_call_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(RedactionFailed) as caught:
        redact(f"log line with {secret} in it", mask=lambda text: text)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_masked_passes(secret: str) -> None:
    assert secret not in redact(f"log line with {secret} in it", mask=mask)


def test_a_mask_that_breaks_stops_the_call() -> None:
    def broken(text: str) -> str:
        raise ValueError("no rules")

    with pytest.raises(RedactionFailed, match="nothing was sent"):
        redact("anything", mask=broken)


def test_a_random_run_of_characters_is_masked() -> None:
    assert redact("token q9X2mN7vB4kL8sR1tY6wZ3pH5jD0cF+gA/eUiOxEyCbVnQ end", mask=str) == "token [masked] end"


@pytest.mark.parametrize(
    "ordinary",
    [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 of checkout",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "/usr/lib/python3.11/site-packages/sqlalchemy/engine/base.py line 1967",
        "ts-inside-payment-service_duration_milliseconds_bucket rose",
        "QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 3.00",
    ],
)
def test_ordinary_lines_stay(ordinary: str) -> None:
    assert redact(ordinary, mask=mask) == ordinary
