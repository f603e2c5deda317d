import numpy as np

from incidents.detection import picture


def test_a_long_series_is_a_small_picture_with_its_alarms() -> None:
    count = 200_000
    values = np.random.default_rng(1).standard_normal(count)
    values[5], values[1000:3000] = np.inf, np.nan
    text = picture.draw(
        "a & b",
        times=np.linspace(0.0, 6e6, count),
        values=values,
        expected=np.zeros(count),
        spread=np.ones(count),
        alarms=np.array([7, 150_000]),
    )
    assert len(text) < 120_000
    assert "<title>a &amp; b: 2 alarms (red), usual band (blue)</title>" in text
    assert text.count("<path") == 4
    assert "nan" not in text


def test_a_series_without_a_number_and_a_constant_one_are_drawn() -> None:
    for value in (np.nan, 4.0):
        flat = np.full(10, value)
        text = picture.draw(
            "flat", times=np.arange(10.0), values=flat, expected=flat, spread=flat, alarms=np.array([], dtype=np.intp)
        )
        assert text.count("<svg") == text.count("</svg>") == 1
        assert "nan" not in text
