"""The first half's personal data: of nobody, with numbers from ranges kept for examples where there are any."""

from collections.abc import Iterator

from copilot.management.evaluations.planted.shapes import HEX, Draw, Planted, Value, iban, luhn

_GIVEN = ("Anna", "José", "Marek", "Siobhán", "Yuki", "Fatima", "Lars", "Priya", "Jean-Luc", "Olena")
_FAMILY = ("Kowalska", "García", "O'Brien", "Müller", "Tanaka", "van der Berg", "Novák", "Smith", "Dupont", "Haddad")
_NAME_KEYS = ("first_name", "last_name", "full_name", "customer_name", "cardholder", "surname", "patient_name")
_ADDRESSES = (
    "12 Harbour Street, Cork",
    "Hauptstraße 7, 10115 Berlin",
    "221B Baker St",
    "4 rue de la Paix, 75002 Paris",
)
_ADDRESS_KEYS = ("street", "street_address", "billing_address", "address_line_1", "home_address")
_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"


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
            f"19{draw.digits(2)}-0{draw.one('123456789')}-1{draw.one('0123456789')}",
            ("dob", "date_of_birth"),
            False,
        )
        yield Value("IP address", f"203.0.113.{draw.random.randint(1, 254)}", ("client_ip", "remote_addr"))
        yield Value("IP address", f"198.51.100.{draw.random.randint(1, 254)}", ("ip",))
        yield Value("IP address", f"2001:db8:{draw.of(HEX, 4)}::{draw.of('123456789', 2)}", ("client_ip",))


def _reached_by(draw: Draw) -> Iterator[Value]:
    user = f"{draw.one(('anna', 'jose.garcia', 'm_novak', 'ops+alerts', 'l-berg'))}{draw.digits(2)}"
    yield Value(
        "e-mail", f"{user}@{draw.one(('example.com', 'mail.example.org', 'shop.example.co.uk'))}", ("email", "user")
    )
    yield Value("phone", f"+1 202 555 01{draw.digits(2)}", ("phone",))
    yield Value("phone", f"(202) 555-01{draw.digits(2)}", ("phone_number",))
    yield Value("phone", f"+49 30 23125{draw.digits(3)}", ("tel",))
    yield Value("phone", f"+44 20 7946 0{draw.digits(3)}", ("mobile",))
    yield Value("phone", f"+33 1 99 00 {draw.digits(2)} {draw.digits(2)}", ("phone",))
    yield Value("phone", f"0151 {draw.digits(8)}", ("mobile", "msisdn"), False)


def _numbers(draw: Draw) -> Iterator[Value]:
    for start, length in (("4", 16), ("51", 16), ("34", 15), ("6011", 16)):
        card = luhn(start + draw.digits(length - len(start) - 1))
        groups = " ".join(card[i : i + 4] for i in range(0, len(card), 4))
        yield Value("card number", card, ("card", "pan"))
        yield Value("card number", groups, ("card_number",))
    for country, length in (("DE", 18), ("FR", 23), ("NL", 14)):
        account = ("ABNA" + draw.digits(10)) if country == "NL" else draw.digits(length)
        code = iban(country, account)
        yield Value("bank account", code, ("iban", "account"))
        yield Value("bank account", " ".join(code[i : i + 4] for i in range(0, len(code), 4)), ("iban",))
    yield Value("national id", f"{draw.random.randint(100, 665)}-{draw.digits(2)}-{draw.digits(4)}", ("ssn",))
    yield Value("national id", f"AB{draw.digits(6)}C", ("nino", "national_insurance_number"))
    digits = draw.digits(8)
    yield Value("national id", digits + _SPANISH[int(digits) % 23], ("dni",))
    yield Value("national id", f"RSSMRA{draw.digits(2)}A{draw.digits(2)}H{draw.digits(3)}X", ("codice_fiscale",))
    yield Value("national id", f"{draw.one('CFGHJK')}{draw.digits(8)}", ("passport_number", "passport"), False)


_NAMED = {
    "JSON log": '{{"level":"info","msg":"order placed","{name}":"{value}","items":3}}',
    "JSON in JSON": '{{"body":"{{\\"{name}\\":\\"{value}\\"}}"}}',
    "logfmt": 'level=info msg="profile saved" {name}="{value}" took=12ms',
    "YAML": "  {name}: {value}",
    "Python dict": "payload={{'{name}': '{value}', 'plan': 'pro'}}",
    "prose with key": "validation failed for {name}={value}",
}
_ALONE = {
    "prose": "could not notify {value}, will retry in 30 s",
    "access log": '{value} - - [20/Nov/2026:02:44:03 +0000] "GET /cart HTTP/1.1" 200 512',
    "quoted": "duplicate entry '{value}' for key 'users.contact'",
    "list": "recipients: [{value}]",
}


def planted(seed: str) -> Iterator[Planted]:
    """Yield every line of this half."""
    for value in values(Draw(f"first {seed}")):
        for name in value.names:
            for way, template in _NAMED.items():
                yield Planted(value.kind, way, template.format(name=name, value=value.text), (value.text,))
        for way, template in _ALONE.items() if value.stands_alone else ():
            yield Planted(value.kind, way, template.format(value=value.text), (value.text,))
