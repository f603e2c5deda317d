"""Bodies in every state of repair, with the answers that are right for each: JSON's grammar broken in each of its places, and bent."""

from collections.abc import Iterator

from tests.faults.senders import body, now_firing

# Not JSON: refused, with what is wrong and where.
BROKEN_STRUCTURE = (
    b"", b" ", b"\n", b"[", b"{", b"]", b"}", b"[1,]", b"[,1]", b"[1,,2]", b"[,]", b"[1 2]", b"[1:2]", b"[]]", b"[1}", b"{]", b"[{}",
    b'{"a":1,}', b'{,"a":1}', b'{"a" 1}', b'{"a"}', b'{"a":}', b'{"a"::1}', b'{"a":1 "b":2}', b'{"a":1,,"b":2}', b"{1:1}", b"{a:1}",
    b"{'a':1}", b"{null:1}", b"{[]:1}", b'{"a":1]', b'{"a":[}', b"{}{}", b"[][]", b"[1]x", b"{}x", b"1 2", b"true false", b"/**/[]",
    b"[]//", b"#", b"<alerts/>", b"a=1&b=2", b"--- a: 1", b"[1]\x00", b"[\x0c]", b"[\xe2\x81\xa0]", b"[\xc2\xa0]", b"\xe2\x80\x8b[]",
)  # fmt: skip
BROKEN_VALUES = (
    b"nul", b"Null", b"TRUE", b"tru", b"undefined", b"NaN", b"[NaN]", b"-NaN", b"Infinity", b"-Infinity", b"[Inf]", b"+1", b"++1", b"--1",
    b"01", b"-01", b"00", b"1.", b"-1.", b".5", b"-.5", b"1.e3", b"1e", b"1e+", b"1e-", b"1E1.5", b"1e1e1", b"0x1", b"0b1", b"0o7", b"1_000",
    b"1,5", b"1 000", b"-", b"- 1", b"\xef\xbc\x91", b"1a", b"$1", b"'a'", b'"', b'"a', b'a"', b'"a\\"', b'"\t"', b'"\n"', b'"\x00"',
    b'"\x1f"', b'"\\x41"', b'"\\a"', b'"\\u12"', b'"\\u12G4"', b'"\\U0041"', b'"\\u"', b'"\\', b'"\\ud800\\u"', b'"\\ud800\\x"', b'"\\0"',
    b"\xe2\x80\x9ca\xe2\x80\x9d", b"`a`",
)  # fmt: skip
BROKEN_TEXT = (
    b"\xff\xfe[\x00]\x00", b"\x00[\x00]", b"\xef\xbb\xbf", b"\xef\xbb", b"[\x00]", b"[\xff]", b'"\xff"', b'"\xc0\xaf"', b'"\xc3"', b'"\xc3("',
    b'"\xe2\x82"', b'"\xe2\x28\xa1"', b'"\xed\xa0\x80"', b'"\xed\xb0\x80"', b'"\xf0\x9f\x98"', b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"',
    b"\x1f\x8b\x08\x00", b"\x80", b"\xfe\xff",
)  # fmt: skip
BROKEN_DEPTH = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'[{"a":' * 50_000,
    b"[" * 10_000 + b"NaN",
)
# JSON, and yet no delivery: refused as well.
NO_DELIVERY = (
    b"[]", b"{}", b"1", b"-0", b"1e5", b'"a"', b"null", b"true", b"false", b"[[]]", b" [ ] ", b'[{"alerts":[]}]', b'{"alerts":{}}',
    b'{"alerts":null}', b'{"alerts":"x"}', b'{"alerts":1}', b'{"Alerts":[]}', b'{"alerts":[],"alerts":1}', b'{"alerts":[1]}', b'{"alerts":[null]}',
    b'{"alerts":[[]]}', b'{"alerts":["a"]}',
)  # fmt: skip
EMPTY = (b'{"alerts": []}', b'\t{ "alerts"\r\n:[\t] }\n', b'{"alerts":1,"alerts":[]}', b'{"\\u0061lerts":[]}')
# JSON values that a label may have: the alert is taken.
VALUES = (
    b"0", b"-0", b"-0.0", b"1", b"-1", b"1.0", b"0.1e1", b"1E22", b"1e-7", b"1E+2", b"20e1", b"123.456e78", b"0e1", b"0E-9", b"1.5e-400",
    b"9007199254740993", b"-9223372036854775809", b"18446744073709551616", b"0." + b"1" * 300, b"1" * 400, b"9" * 5_000, b"true", b"false",
    b"null", b"[]", b"{}", b"[[]]", b"[null,1,\"a\"]", b'{"a":{"b":[]}}', b'{"a":1,"a":2}', b'{"":0}', b" [ 1 , 2 ] ", b'""', b'" "',
    b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', b'"\\u0060\\u012a\\u12AB"', b'"\\ud83d\\ude00"', b'"\\uDBFF\\uDFFF"', b'"\\u0000"', b'"\\uFFFF"',
    b'"\\uFDD0"', b'"\\u2028\\u2029"', b'"\\u202e"', b'"\\u200b"', b'"\xe2\x80\xa8"', b'"\xe2\x80\xae"', b'"\xf4\x8f\xbf\xbf"', b'"\x7f"',
    b'"\xef\xbb\xbf"', b'"\xc2\x85"', b'"\xe2\x82\xac\xf0\x9d\x84\x9e"', b'"a\\u0301"',
)  # fmt: skip
# Within the grammar, and beyond what most readers hold: taken or refused, never an error of ours.
EXTREME = (
    b"1e999", b"-1e999", b"1e-999", b"123123e100000", b"0.4e00669999999999999999999999999999999999999999999999999999", b"-" + b"1" * 5_000,
    b'"\\ud800"', b'"\\udc00"', b'"\\ud800a"', b'"\\ud800\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\u0041"', b'{"\\u0000": {"\\ud800": 1}}',
    b"[" * 400 + b"]" * 400, b"[" * 1_500 + b"]" * 1_500, b'{"a":' * 300 + b"1" + b"}" * 300, b"[" + b"1," * 5_000 + b"1]",
    b"{" + b",".join(b'"%d":0' % number for number in range(3_000)) + b"}", b'"' + b"a" * 100_000 + b'"',
)  # fmt: skip
KEYS = (
    b'""',
    b'" "',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u202e"',
    b'"a.b"',
    b'"' + b"k" * 5_000 + b'"',
)
FIELDS = (b'"status"', b'"startsAt"', b'"endsAt"', b'"fingerprint"', b'"annotations"', b'"labels"', b'"alerts"')
PLACED = (
    b"null",
    b"[]",
    b"{}",
    b"false",
    b"-1",
    b'""',
    b'"\\u0000"',
    b"1e999",
    b'"\\ud800"',
    b"9" * 5_000,
    b"[" * 400 + b"]" * 400,
)
TAKEN, REFUSED, EITHER = frozenset({202}), frozenset({400}), frozenset({202, 400})


def documents() -> Iterator[tuple[bytes, frozenset[int]]]:
    """Each body with the statuses that are right for it."""
    for broken in (*BROKEN_STRUCTURE, *BROKEN_VALUES, *BROKEN_TEXT, *BROKEN_DEPTH, *NO_DELIVERY):
        yield broken, REFUSED
    for empty in EMPTY:
        yield empty, TAKEN
    template = body(now_firing("odd", odd="ODD"))
    for length in (1, 40, len(template) // 2, len(template) - 1):
        yield template[:length], REFUSED
    yield b"\xef\xbb\xbf" + template, EITHER
    yield template.decode().encode("utf-16"), REFUSED
    for value in VALUES:
        yield template.replace(b'"ODD"', value), TAKEN
    for value in EXTREME:
        yield template.replace(b'"ODD"', value), EITHER
    for value in (*BROKEN_VALUES, *BROKEN_TEXT):
        yield template.replace(b'"ODD"', value), EITHER if value in (b"\xef\xbb\xbf",) else REFUSED
    for key in KEYS:
        yield template.replace(b'"labels": {', b'"labels": {' + key + b': "x", '), TAKEN
    for name in FIELDS:
        for value in PLACED:
            yield template.replace(name + b": ", name + b": " + value + b', "was": '), EITHER
