from incidents.localization.execution import PathChange, path_changes
from incidents.localization.log_templates import template_lines
from incidents.localization.traces import join
from incidents.telemetry.datamodel import LogRecord, Span, span_table


class Story:
    """Spans of one operation, each with the calls it made and the lines it wrote."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.lines: list[LogRecord] = []
        self._next = 1

    def visits(
        self, count: int, *, calls: tuple[str, ...] = (), says: tuple[str, ...] = (), fails: bool = False
    ) -> "Story":
        for _ in range(count):
            number = self._next
            self._next += 1 + len(calls)
            trace = number.to_bytes(16)
            self.spans.append(Span(trace, number, 0, "shop", "GET /", 2, 0, 10, fails, "{}"))
            self.spans += [
                Span(trace, number + 1 + n, number, "shop", call, 3, 1, 2, False, "{}") for n, call in enumerate(calls)
            ]
            self.lines += [LogRecord(5, "shop", 0, text, trace, number, "{}") for text in says]
        return self

    def elsewhere(self, count: int) -> "Story":
        for _ in range(count):
            self._next += 1
            self.spans.append(Span(self._next.to_bytes(16), self._next, 0, "till", "GET /till", 2, 0, 10, False, "{}"))
        return self


def changes(before: Story, after: Story) -> list[PathChange]:
    shift = 1_000_000
    moved = [
        s._replace(
            span_id=s.span_id + shift,
            parent_id=s.parent_id + shift if s.parent_id else 0,
            trace_id=(int.from_bytes(s.trace_id) + shift).to_bytes(16),
        )
        for s in after.spans
    ]
    lines = before.lines + [line._replace(span_id=line.span_id + shift) for line in after.lines]
    view = join(baseline=None, reference=span_table(before.spans), incident=span_table(moved))
    return path_changes(view, lines=lines, templates=template_lines(lines))


def test_a_path_that_stops_half_way() -> None:
    [found] = changes(
        Story().visits(100, calls=("load", "price", "render")),
        Story().visits(20, calls=("load",)).visits(20, calls=("load", "price", "render")),
    )
    assert found.novel
    assert [event.text for event in found.did] == ["load"]
    assert [event.text for event in found.omits] == ["price", "render"]
    assert (found.before, found.after) == (0, 0.5)
    assert found.strength > 3
    assert len(found.rows) == 20


def test_a_line_that_is_no_longer_written() -> None:
    [found] = changes(Story().visits(50, says=("INFO begin", "INFO done")), Story().visits(30, says=("INFO begin",)))
    assert [event.text for event in found.omits] == ["INFO done"]
    assert found.strength > 5


def test_an_error_that_appears() -> None:
    [found, *_] = changes(
        Story().visits(80, says=("INFO stored",)),
        Story().visits(60, says=("INFO stored",)).visits(15, says=("ERROR no stock",), fails=True),
    )
    assert found.did[0].alarming
    assert found.did[0].text == "ERROR no stock"
    assert found.strength > 3


def test_another_mix_of_the_usual_requests_is_hardly_a_finding() -> None:
    found = changes(
        Story().visits(50, calls=("a",)).visits(50, calls=("b",)),
        Story().visits(35, calls=("a",)).visits(15, calls=("b",)),
    )
    assert all(one.strength < 0.5 for one in found)


def test_an_error_that_went_away_is_no_finding() -> None:
    before = Story().visits(40, says=("ERROR no stock",)).visits(60, says=("INFO stored",))
    assert changes(before, Story().visits(100, says=("INFO stored",))) == []


def test_fewer_calls_of_one_sort_do_not_accuse_the_rest() -> None:
    """When customers ask for another service instead of one page, the other page's share rises, but not how often it is asked for."""
    before = Story().visits(300, calls=("a",)).visits(100, calls=("b",))
    assert changes(before, Story().visits(100, calls=("b",)).elsewhere(300)) == []


def test_logging_that_only_began_is_not_a_change_of_path() -> None:
    assert changes(Story().visits(50), Story().visits(50, says=("INFO hello",))) == []


def test_nothing_to_compare() -> None:
    assert changes(Story(), Story().visits(10)) == []
    assert changes(Story().visits(10), Story()) == []
