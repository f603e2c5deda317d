"""Results kept for the minute."""

from datetime import timedelta

from incidents.trends.recent import Recent, minute
from tests.incidents.trends.cast import NOW


def test_a_result_is_made_once_a_minute() -> None:
    made: list[str] = []
    kept: Recent[int] = Recent(most=2)

    def ask(key: str, *, seconds: float = 0) -> int:
        return kept.get(key, lambda: len(made.append(key) or made), now=minute(NOW) + timedelta(seconds=seconds))

    assert [ask("a"), ask("a", seconds=59), ask("a", seconds=60)] == [1, 1, 2]
    ask("b", seconds=60)
    ask("a", seconds=60)
    ask("c", seconds=60)  # b was not asked for longest, so it goes
    assert made == ["a", "a", "b", "c"]
    assert ask("a", seconds=60) == 2
    kept.forget()
    assert ask("a", seconds=60) == 5
