"""Files and a question to evidence; what the other modules find, ranked, said and cited."""

import json
from datetime import UTC, datetime, timedelta

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from copilot.evidence.attached import gather
from copilot.evidence.attached.files import AttachedFile, read
from copilot.evidence.bundle import EvidenceBundle, from_json, to_json
from copilot.privacy.pseudonyms import Pseudonyms

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ask(question: str, **files: str) -> EvidenceBundle:
    found = [read(name.replace("_", "."), text.encode(), mask=lambda text: text) for name, text in files.items()]
    return gather.gather(gather.digest(found), question, now=NOW, pseudonyms=Pseudonyms())


def log(*lines: str) -> str:
    start = datetime(2026, 3, 1, 10, tzinfo=UTC)
    return "\n".join(f"{start + timedelta(seconds=i):%Y-%m-%d %H:%M:%S} {line}" for i, line in enumerate(lines))


def test_errors_are_counted_by_what_they_say_before_warnings() -> None:
    bundle = ask(
        "what is wrong?",
        pod_log=log("INFO up", *(f"ERROR cannot reach 10.0.0.{i}" for i in range(5)), "WARN slow disk", "INFO down"),
    )
    assert [item.statement for item in bundle.items] == [
        "ERROR 5 times from 2026-03-01 10:00:01 to 10:00:05: “cannot reach 10.0.0.0”.",
        "WARN at 2026-03-01 10:00:06: “slow disk”.",
    ]
    assert [line["number"] for line in bundle.items[0].detail["lines"]] == [2, 3, 4, 5, 6]
    assert bundle.items[0].query == "pod.log:2–6"


def test_long_texts_that_differ_in_one_word_are_one_finding_that_names_the_words() -> None:
    lines = [
        f"ERROR {name}-service - the query failed: syntax error at or near SELCT" for name in ("user", "order", "user")
    ]
    (item,) = ask("errors?", pod_log=log(*lines)).items
    assert "3 times" in item.statement
    assert item.statement.endswith("(user-service 2 and order-service 1).")


def test_a_question_for_numbers_gets_their_range() -> None:
    lines = [
        line for i in range(20) for line in ("INFO request for cart page", f"INFO page rendered in {i + 1}.5 seconds")
    ]
    first = ask("how long do pages take to render?", pod_log=log(*lines)).items[0]
    assert "from 1.5 to 20.5 seconds, median 11 seconds" in first.statement


def test_a_quoted_phrase_is_searched_for_word_for_word() -> None:
    first = ask(
        "find 'card declined' in the log", pod_log=log("ERROR disk full", "INFO card declined for order 7")
    ).items[0]
    assert first.statement == "INFO at 2026-03-01 10:00:01: “card declined for order 7”."


def test_a_field_that_grows_is_told_with_when_it_was_halfway() -> None:
    start = datetime(2026, 3, 1, 10, tzinfo=UTC)
    lines = [
        json.dumps(
            {
                "time": (start + timedelta(seconds=i)).isoformat(),
                "level": "INFO",
                "msg": "done",
                "took_ms": 100 + 10 * i,
            }
        )
        for i in range(100)
    ]
    (item,) = ask("what is wrong?", pod_log="\n".join(lines)).items
    assert item.statement == (
        "took_ms grew steadily from 145 to 1,045 between the first and the last tenth of 100 lines"
        " from 2026-03-01 10:00:00 to 10:01:39; it was halfway at 10:00:50; it became slower."
    )


def test_a_table_is_followed_too() -> None:
    rows = ["time,open_connections", *(f"2026-03-01 10:{i:02}:00,{10 + i * 3}" for i in range(60))]
    (item,) = ask("what moved?", pool_csv="\n".join(rows)).items
    assert item.title == "open_connections grew steadily"
    assert item.detail["values"][:2] == [10, 13]
    assert len(item.detail["times"]) == 60


def test_a_number_that_only_jumps_about_moved_nowhere() -> None:
    lines = [json.dumps({"level": "INFO", "msg": "ok", "took_ms": (i * 37) % 101}) for i in range(200)]
    assert not [item for item in ask("what is wrong?", pod_log="\n".join(lines)).items if "took_ms" in item.title]


def test_a_short_file_without_trouble_is_told_whole_and_empty_and_equal_ones_are_named() -> None:
    bundle = ask(
        "what happened?", a_txt="stdout:\nall is quiet\n", b_txt="stdout:\nall is quiet\n", c_txt="stdout:\n\nstderr:\n"
    )
    assert [item.statement for item in bundle.items] == ["A line: “all is quiet”."]
    assert bundle.gaps == ("b.txt says the same as a.txt.", "c.txt is empty.")


def test_what_is_said_holds_before_the_checker_and_a_wrong_number_does_not() -> None:
    bundle = ask("what is wrong?", pod_log=log(*(f"ERROR time-out after {i} ms" for i in (5000, 5000, 5000))))
    item = bundle.items[0]
    assert check(item.statement, [item.id], bundle).verdict is Verdict.SUPPORTED
    assert check("There were 7 errors of a time-out after 9000 ms.", [item.id], bundle).verdict is not Verdict.SUPPORTED


def test_the_bundle_survives_being_kept() -> None:
    bundle = ask("what is wrong?", pod_log=log("ERROR one", "ERROR two other"))
    assert from_json(json.loads(json.dumps(to_json(bundle)))) == bundle


def test_beside_an_incident_its_ids_go_on() -> None:
    first = ask("x", pod_log=log("ERROR one"))
    both = gather.beside(
        first, gather.digest([AttachedFile("b.log", ("ERROR two",))]), "x", now=NOW, pseudonyms=Pseudonyms()
    )
    assert [item.id for item in both.items] == ["E2", "E1"]  # what was asked last stands first


def test_what_one_file_says_five_times_in_a_second_counts_five_and_what_two_files_say_alike_once() -> None:
    burst = "\n".join(["2026-03-01 10:00:00 ERROR disk full"] * 5)
    (item,) = ask("what is wrong?", a_log=burst, b_log=f"{burst}\n2026-03-01 10:00:09 INFO up").items
    assert item.statement == "ERROR 5 times at 2026-03-01 10:00:00: “disk full”."


def test_two_files_of_one_name_are_told_apart_and_each_line_is_its_own() -> None:
    files = [
        AttachedFile("pod.log", ("INFO a", "INFO b", "ERROR disk full")),
        AttachedFile("pod.log", ("ERROR no route",)),
    ]
    found = gather.gather(gather.digest(files), "what is wrong?", now=NOW, pseudonyms=Pseudonyms()).items
    assert {item.query: item.detail["lines"][0]["text"] for item in found} == {
        "pod.log:3": "ERROR disk full",
        "pod (2).log:1": "ERROR no route",
    }
