import pytest

from incidents.localization.log_mining import MAX_SHAPES, mine, template_id


def texts(*lines: str) -> list[str]:
    return list(mine(lines).texts)


@pytest.mark.parametrize(
    ("line", "template"),
    [
        ("took 12.5ms", "took <duration>"),
        ("took 12.5 seconds", "took <duration>"),
        ("read 3.2 KB of 10MB", "read <size> of <size>"),
        ("peer 10.0.0.7:443 left", "peer <address> left"),
        ("peer 2001:db8::1 left", "peer <address> left"),
        ("peer [::1]:443 left", "peer [<address>]:<number> left"),
        ("used std::vector at 09:00:01", "used std::vector at <time>"),
        ("peer web-1.example.com left", "peer <host> left"),
        ("job 6f1c2d3e-0a1b-4c5d-8e9f-001122334455 done", "job <id> done"),
        ("device 00:1a:2b:3c:4d:5e up", "device <id> up"),
        ("wrote /var/lib/shop/orders.db now", "wrote <path> now"),
        ("GET https://shop.example/cart?id=5 ok", "GET <url> ok"),
        ("since 2026-03-14T09:00:01.123Z on", "since <time> on"),
        ("at Sat Mar 14 09:00:01 2026 here", "at <time> here"),
        ("-7 of blk_-123456789 left", "<number> of blk_<number> left"),
        ("cache is null", "cache is <*>"),
    ],
)
def test_values_are_named_by_their_kind(line: str, template: str) -> None:
    assert texts(line) == [template]


def test_a_place_with_many_words_varies_and_one_with_few_tells_events_apart() -> None:
    names = ("ada", "bob", "cleo", "dora", "emil", "finn")
    assert texts(*(f"Invalid account {name} tried" for name in names)) == ["Invalid account <*> tried"]
    assert len(texts(*(f"machine was {state} by hand" for state in ("started", "paused", "resumed")))) == 3


def test_quoted_text_that_varies_is_a_string() -> None:
    asked = ("red hat", "socks", "a blue scarf", "gloves", "long coat", "tie", "boots of leather", "belt", "two hats")
    assert texts(*(f'search "{words}" found 3' for words in asked)) == ['search "<string>" found <number>']
    assert template_id('search "<string>" found') == template_id('search "<*>" found')


def test_names_of_what_was_just_named_are_values_however_few() -> None:
    assert texts("session closed for user ada", "session closed for user bob") == ["session closed for user <*>"]


def test_settings_that_vary_each_for_itself_do_not_multiply_templates() -> None:
    lines = [
        f"lock taken mode {mode} by owner class {owner}"
        for mode in ("read", "write", "both")
        for owner in ("ui", "job", "api")
    ]
    assert len(texts(*lines)) == 1


def test_lists_of_any_length_are_one_value() -> None:
    words = ("oak", "ash", "elm", "fir", "yew", "box", "bay", "fig", "nut", "ivy")
    lines = [f"planted [{', '.join(words[: n + 1])}] today" for n in range(len(words))]
    assert texts(*lines) == ["planted [<*>] today"]


HEADERS = (
    "Mar 14 09:00:0{n} host sshd(pam)[{n}12]: {message}",
    "2026-03-14 09:00:0{n},123 INFO [main-{n}] {message}",
    "20260314-09:00:0{n}:606|Step_{n}|3000231{n}|{message}",
    "- 111783857{n} 2026.03.14 R02-M{n} 2026-03-14-09.00.0{n}.675872 RAS KERNEL INFO {message}",
    "[Sat Mar 14 09:00:0{n} 2026] [error] {message}",
)


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_of_raw_lines_is_left_out(header: str) -> None:
    messages = ("disk is full", "order stored by hand", "no answer yet")
    found = mine([header.format(n=n, message=messages[n % 3]) for n in range(9)])
    assert found.template.tolist() == [0, 1, 2] * 3
    assert [text.removeprefix("[main-<number>] ") for text in found.texts] == list(messages)


def test_lines_without_a_header_lose_nothing() -> None:
    assert texts(*["order stored"] * 9) == ["order stored"]


def test_an_id_depends_on_the_text_alone_and_not_on_kinds() -> None:
    assert template_id("took <duration>") == template_id("took <*>") != template_id("took long")


def test_memory_is_bounded() -> None:
    lines = [
        f"{'x' * (n % 50 + 1)} {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}"
        for n in range(MAX_SHAPES + 50)
    ]
    found = mine(lines)
    assert len(found.template) == len(lines)
