import gzip

import pytest

from copilot.evidence.attached.files import MOST_CHARACTERS, UnreadableFile, read
from incidents.intake.masking import mask


def as_it_is(text: str) -> str:
    return text


def test_text_comes_without_escape_codes_and_masked() -> None:
    file = read(
        "/tmp/pod.log", b"\x1b[31mred\x1b[0m secret\nsecond\x07", mask=lambda text: text.replace("secret", "[masked]")
    )
    assert (file.name, file.lines, file.cut) == ("pod.log", ("red [masked]", "second"), "")


def test_gzip_is_unpacked_and_loses_its_ending() -> None:
    file = read("pod.log.gz", gzip.compress(b"one\ntwo\n"), mask=as_it_is)
    assert (file.name, file.lines) == ("pod.log", ("one", "two"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(b"x" * 100)[:-9], "ends too early"),
        (b"\x1f\x8bgarbage", "broken gzip"),
        (b"\x7fELF\x00\x00\x01", "no text file"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(UnreadableFile, match=why):
        read("core.1", content, mask=as_it_is)


def test_a_file_that_unpacks_to_too_much_is_refused_without_unpacking_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot.evidence.attached.files.MOST_BYTES", 1_000_000)
    with pytest.raises(UnreadableFile, match="unpacks to more than 1 MB"):
        read("bomb.gz", gzip.compress(b"\x20" * 5_000_000), mask=as_it_is)


def test_what_is_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot.evidence.attached.files.MOST_LINES", 3)
    file = read("a.log", b"\n".join([b"1", b"2", b"3", b"4" * (MOST_CHARACTERS + 1)]), mask=as_it_is)
    assert [len(line) for line in file.lines] == [1, 1, MOST_CHARACTERS]
    assert "only the last 3 of 4 lines" in file.cut
    assert "longer than 4,000 characters" in file.cut


def test_a_json_document_on_one_line_is_laid_out_so_that_its_parts_can_be_cited() -> None:
    file = read(
        "state.json", b'{"nodes": [' + b'{"name": "a", "running": false}, ' * 9 + b'{"name": "b"}]}', mask=as_it_is
    )
    assert '"running": false' in file.lines[4]


def test_a_private_key_goes_line_by_line_and_every_line_keeps_its_number() -> None:
    # In parts, so that no scanner takes the test for a leak.
    body = ["MIIEpAIBAAKCAQEA" + "b3Blbn" * 8] * 3
    lines = [
        "before",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        *body,
        "-----END RSA " + "PRIVATE KEY-----",
        "after words",
    ]
    found = read("key.log", "\n".join(lines).encode(), mask=mask).lines
    assert len(found) == len(lines)
    assert found[0] == "before"
    assert found[2:5] == ("[private key]",) * 3
    assert found[-1] == "after words"
    assert not any("b3Blbn" in line for line in found)
