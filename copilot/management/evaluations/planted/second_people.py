"""The second half's personal data: other countries, other ways to write them than in the first half."""

from collections.abc import Iterator

from copilot.management.evaluations.planted.shapes import HEX, Draw, Planted, Value, iban, luhn

_GIVEN = ("Björn", "Chidi", "Mei", "Ana Sofía", "Ahmed", "Zoë", "Ravi", "Ewa", "Paulo", "Ingrid")
_FAMILY = ("Lindqvist", "Okafor", "Chen", "Rodríguez", "Al-Sayed", "Janssen", "Patel", "Wójcik", "Ferreira", "Sørensen")
_NAME_KEYS = (
    "customerName",
    "cardholderName",
    "lastName",
    "given_name",
    "billing_name",
    "Passenger Name",
    "contact_name",
    "recipientName",
)
_ADDRESSES = (
    "Plaza Mayor 3, 28012 Madrid",
    "Nowy Świat 15/4, Warszawa",
    "77 Sherbourne St, Toronto",
    "Keizersgracht 174",
)
_ADDRESS_KEYS = ("shippingAddress", "delivery_address", "addressLine2", "Street", "postal_address")


def values(draw: Draw) -> Iterator[Value]:
    """Yield some of each."""
    for _ in range(6):
        yield from _reached_by(draw)
        yield from _numbers(draw)
        name = f"{draw.one(_GIVEN)} {draw.one(_FAMILY)}"
        yield Value("name", name, (draw.one(_NAME_KEYS), draw.one(_NAME_KEYS)), False)
        yield Value("postal address", draw.one(_ADDRESSES), (draw.one(_ADDRESS_KEYS),), False)
        yield Value(
            "date of birth",
            f"{draw.one('012')}{draw.one('123456789')}/0{draw.one('12345679')}/19{draw.digits(2)}",
            ("birthDate", "birthday"),
            False,
        )
        yield Value("IP address", f"192.0.2.{draw.random.randint(1, 254)}", ("X-Forwarded-For", "peer"))
        yield Value(
            "IP address",
            f"2a02:{draw.of('123456789', 3)}:{draw.of(HEX, 4)}:1::{draw.of('123456789', 1)}",
            ("client.address",),
        )


def _reached_by(draw: Draw) -> Iterator[Value]:
    user = f"{draw.one(('bjorn', 'mei_chen', 'a.rodriguez', 'info', 'paulo-f'))}{draw.digits(3)}"
    yield Value(
        "e-mail",
        f"{user}@{draw.one(('example.net', 'post.example.pl', 'example.museum'))}",
        ("mailTo", "userPrincipalName"),
    )
    yield Value("phone", f"+39 06 6982 {draw.digits(4)}", ("telefono_phone",))
    yield Value("phone", f"+48 22 695 {draw.digits(2)} {draw.digits(2)}", ("phoneNumber",))
    yield Value("phone", f"+91 98{draw.digits(3)} {draw.digits(5)}", ("mobile_no",))
    yield Value("phone", f"+55 11 9{draw.digits(4)}-{draw.digits(4)}", ("contactPhone",))
    yield Value("phone", f"+81-3-{draw.digits(4)}-{draw.digits(4)}", ("tel",))
    yield Value("phone", f"+614{draw.digits(8)}", ("msisdn",))
    yield Value("phone", f"1-202-555-01{draw.digits(2)}", ("fax",))


def _numbers(draw: Draw) -> Iterator[Value]:
    for start, length in (("65", 16), ("3530", 16), ("2221", 16), ("36", 14)):
        card = luhn(start + draw.digits(length - len(start) - 1))
        yield Value("card number", card, ("cardNumber", "primaryAccountNumber"))
        yield Value("card number", "-".join(card[i : i + 4] for i in range(0, len(card), 4)), ("cc",))
    for country, length in (("ES", 20), ("PL", 24), ("CH", 17), ("NO", 11), ("BE", 12)):
        code = iban(country, draw.digits(length))
        yield Value("bank account", code, ("creditorAccount",))
        yield Value("bank account", " ".join(code[i : i + 4] for i in range(0, len(code), 4)), ("debtor_iban",))
    yield Value("national id", draw.digits(11), ("pesel", "taxId", "steuer_id"), False)
    yield Value("national id", draw.digits(9), ("bsn", "social_security_number"), False)
    yield Value("national id", f"{draw.digits(3)}.{draw.digits(3)}.{draw.digits(3)}-{draw.digits(2)}", ("cpf",), False)
    yield Value(
        "national id", f"{draw.of('ABCDEFGH', 2)}{draw.digits(7)}", ("passportNumber", "identity_card_no"), False
    )
    yield Value("national id", f"{draw.one('ABCD')}{draw.digits(7)}", ("drivers_license", "nationalId"), False)
    yield Value("national id", f"{draw.random.randint(100, 665)}-{draw.digits(2)}-{draw.digits(4)}", ("SSN",))


_NAMED = {
    "JSON": '{{"{name}": "{value}", "currency": "EUR"}}',
    "JSON, nested": '{{"order":{{"buyer":{{"{name}":"{value}","id":4711}}}}}}',
    "Java toString": "Customer[id=7, {name}={value}, active=true]",
    "Ruby hash": 'Parameters: {{"{name}"=>"{value}", "commit"=>"Save"}}',
    "XML": "<{name}>{value}</{name}>",
    "CSV with names": "{name}: {value}; status: new",
    "form": "cannot parse {name} = '{value}'",
    "structured Go": 'lvl=info msg="checkout" {name}="{value}" step=2',
}
_ALONE = {
    "sentence": "Customer wrote from {value}.",
    "parentheses": "SMTP 550 recipient rejected ({value})",
    "tab": "7\t{value}\tnew",
    "angle brackets": "to=<{value}>, relay=none",
    "first": "{value} is not allowed here",
    "JSON list": '["{value}","x"]',
}


def planted(seed: str) -> Iterator[Planted]:
    """Yield every line of this half."""
    for value in values(Draw(f"second {seed}")):
        for name in value.names:
            for way, template in _NAMED.items():
                yield Planted(value.kind, way, template.format(name=name, value=value.text), (value.text,))
        for way, template in _ALONE.items() if value.stands_alone else ():
            yield Planted(value.kind, way, template.format(value=value.text), (value.text,))
