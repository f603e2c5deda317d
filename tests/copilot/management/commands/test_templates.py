import csv
import gzip
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("templates", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_templates_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "shop.log.gz"
    with gzip.open(log, "wt", encoding="utf-8") as file:
        file.writelines(f"order {n} stored in {n * 3} ms\n\n" for n in range(20))
    said = run(log, "--out", tmp_path / "groups.csv")
    assert "20 lines, 1 templates" in said
    assert "order <number> stored in <duration>" in said
    with (tmp_path / "groups.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["lines"], row["lines_before"], row["example"]) == ("20", "0", "order 0 stored in 0 ms")
    assert len(row["id"]) == 12


def test_what_is_new_and_what_vanished(tmp_path: Path) -> None:
    before, after = tmp_path / "before.log", tmp_path / "after.log"
    usual = [f"order {n} stored" for n in range(50)]
    before.write_text("\n".join([*usual, *["heartbeat sent"] * 40]), encoding="utf-8")
    after.write_text("\n".join([*usual, *["ERROR database refused connection 7"] * 40]), encoding="utf-8")
    said = run(after, "--before", before)
    assert "new              0 →       40  ERROR database refused connection <number> (speaks of a failure)" in said
    assert "vanished        40 →        0  heartbeat sent" in said
    assert "stored" not in said


@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read: No such file"), ("\n\n", "holds no lines")])
def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, content: str | None, message: str) -> None:
    log = tmp_path / "shop.log"
    if content is not None:
        log.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=message):
        run(log)
