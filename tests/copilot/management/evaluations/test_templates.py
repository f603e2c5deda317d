import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

MESSAGES = ("order {n} stored", "disk sda{n} is full", "no answer from 10.0.0.{n}")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "Shop"
    folder.mkdir(parents=True)
    rows = [(n + 1, MESSAGES[n % 3].format(n=n), f"E{n % 3}") for n in range(30)]
    raw = "\n".join(f"2026-03-14 09:00:{line:02} INFO {message}" for line, message, _ in rows)
    (folder / "Shop_2k.log").write_text(raw, encoding="utf-8")
    with (folder / "Shop_2k.log_structured.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("LineId", "Content", "EventId"), *rows])
    return tmp_path


@pytest.mark.parametrize("raw", [False, True])
def test_each_line_is_put_into_its_group(logs: Path, raw: bool) -> None:
    out = StringIO()
    call_command("evaluate", "templates", data=logs / "data", out=logs / "out", raw=raw, stdout=out)
    with (logs / "out" / "Shop.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert {row["template"] for row in rows} == {"order <*> stored", "disk sda<*> is full", "no answer from <*>"}
    assert "Shop            30 1.000 1.000–1.000" in out.getvalue()


def test_a_log_and_its_labels_must_be_of_one_length(logs: Path) -> None:
    (logs / "data" / "Shop" / "Shop_2k.log").write_text("one line\n", encoding="utf-8")
    with pytest.raises(CommandError, match="describes 30 lines, the log beside it has 1"):
        call_command("evaluate", "templates", data=logs / "data", out=logs / "out", raw=True)


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"holds no SYSTEM/NAME.log_structured.csv"):
        call_command("evaluate", "templates", data=tmp_path, out=tmp_path / "out")
