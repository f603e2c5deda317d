import pytest

from copilot.privacy.cover import cover
from copilot.privacy.pseudonyms import MOST, HidingFailed, Pseudonyms


def test_the_same_value_gets_the_same_token_and_the_kind_stays_visible() -> None:
    known = Pseudonyms()
    said = known.hide("203.0.113.9 refused; 198.51.100.4 refused; 203.0.113.9 refused; call +49 151 2345 6789")
    assert said == "‹ip-1› refused; ‹ip-2› refused; ‹ip-1› refused; call ‹phone-1›"
    assert known.hide("again +4915123456789") == "again ‹phone-1›", "two ways to write one number"


def test_names_and_numbers_are_found_where_a_key_or_a_scheme_introduces_them() -> None:
    said = Pseudonyms().hide(
        'whatsapp:+41446689972 "buyer":{"name":"Lea Kaya"} dateOfBirth="1981-03-17" at 12:30:05+0100'
    )
    assert said == 'whatsapp:‹phone-1› "buyer":{"name":"‹name-1›"} dateOfBirth="‹birth-1›" at 12:30:05+0100'


def test_what_was_hidden_can_be_shown_again() -> None:
    known = Pseudonyms()
    text = "customer_name=Ann Smith from 2001:db8::8a2e:370:7334"
    assert known.hide(text) == "customer_name=‹name-1› from ‹ip-1›"
    assert known.reveal(known.hide(text)) == text
    assert known.reveal("‹ip-7› is nobody's") == "‹ip-7› is nobody's"


@pytest.mark.parametrize(
    "text",
    [
        "10.2.3.4 → 192.168.7.9:5432 refused, 127.0.0.1 and fe80::1 as well",
        "Chrome/120.0.0.0 and version 1.2.3.4 of the agent at 2026-11-27T21:50:02.123456+00:00",
        "order 4111111111111112 took 1674981729479000064 ns in std::vector<int>::at",
        "username=postgres hostname=db-1 container_name=payments",
    ],
)
def test_evidence_about_machines_stays(text: str) -> None:
    assert Pseudonyms().hide(text) == text


def test_covering_twice_changes_nothing() -> None:
    known = Pseudonyms()
    once = cover("password=hunter2 of ann@shop.example at 203.0.113.9, ssn: 123-45-6789", known)
    assert once == "password=[masked] of [email] at ‹ip-1›, ssn: ‹id-1›"
    assert cover(once, known) == once


def test_beyond_the_greatest_number_values_are_hidden_for_good() -> None:
    known = Pseudonyms()
    for number in range(MOST):
        known.hide(f"198.18.{number // 250}.{number % 250}")
    assert known.hide("203.0.113.9") == "‹ip›"


def test_a_value_that_cannot_be_kept_is_not_let_through() -> None:
    def refuse(kind: str, value: str) -> int:
        raise HidingFailed("The database does not answer.")

    with pytest.raises(HidingFailed):
        Pseudonyms(remember=refuse).hide("from 203.0.113.9")
