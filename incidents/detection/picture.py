"""A series with its usual band and its alarms as SVG: one text, no library, as large as the picture and not as the series."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

from incidents.detection.learned import BAND_SPREADS

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1200, 360, 70, 34, 28
# So many columns are drawn; of the samples that fall into one, the lowest and the highest.
COLUMNS = 1000
MOST_BRIDGED = 5  # columns without a sample that the band goes on over

_Scale = Callable[[float], float]


_STYLE = (
    "<style>.band{fill:#8aa4c8;fill-opacity:.35}.line{fill:none;stroke:#1f2937}.alarm{stroke:#b3261e;stroke-width:2}"
    "rect{fill:#fff}text{font:12px sans-serif}text.head{font-size:15px}</style>"
)


def draw(
    title: str,
    *,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    expected: NDArray[np.float64],
    spread: NDArray[np.float64],
    alarms: NDArray[np.intp],
) -> str:
    """Return an SVG document that stands alone. The arrays are as `marks` has them."""
    said = escape(f"{title}: {len(alarms)} alarms (red), usual band (blue)")
    drawn = marks(times=times, values=values, expected=expected, spread=spread, alarms=alarms)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f'<title>{said}</title>{_STYLE}<rect width="{WIDTH}" height="{HEIGHT}"/>'
        f'<text class="head" x="{LEFT}" y="20">{said}</text>{drawn}</svg>\n'
    )


def marks(
    *,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    expected: NDArray[np.float64],
    spread: NDArray[np.float64],
    alarms: NDArray[np.intp],
    stretches: Sequence[tuple[float, float]] = (),
) -> str:
    """Return what is inside the SVG element, with classes band, line, alarm and stretch: escaped, numbers and times only.

    All arrays but `alarms` (sample numbers) have shape (n,), n ≥ 1; NaN leaves a gap. `times` are epoch seconds, and so are the begins and
    ends of `stretches`, which are shaded.
    """
    column = np.minimum((times - times.min()) / max(np.ptp(times), 1e-9) * COLUMNS, COLUMNS - 1).astype(np.intp)
    known = np.isfinite(values)
    if not known.any():
        return f'<text x="{LEFT}" y="{HEIGHT / 2}">This series holds no number.</text>'
    low, high = _extremes(column[known], values[known])
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    if top <= bottom:
        bottom, top = bottom - 1.0, top + 1.0
    judged = known & np.isfinite(expected)
    wide = BAND_SPREADS * spread
    band_low, _ = _extremes(column[judged], np.clip((expected - wide)[judged], bottom, top))
    _, band_high = _extremes(column[judged], np.clip((expected + wide)[judged], bottom, top))

    def x(place: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * place / COLUMNS

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - bottom) / (top - bottom))

    parts = [_stretch(x, times, *one) for one in stretches]
    parts.append(f'<path class="band" d="{_area(band_low, band_high, x, y)}"/>')
    parts.append(f'<path class="line" d="{_line(low, high, x, y)}"/>')
    for alarm in alarms:
        at = x(float(column[alarm]))
        parts.append(
            f'<path class="alarm" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"><title>{_stamp(times[alarm])}</title></path>'
        )
    parts += [
        f'<text x="4" y="{TOP + 5}">{top:.3g}</text><text x="4" y="{HEIGHT - BOTTOM}">{bottom:.3g}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{_stamp(times.min())}</text>',
        f'<text x="{WIDTH - 10}" y="{HEIGHT - 8}" text-anchor="end">{_stamp(times.max())}</text>',
    ]
    return "".join(parts)


def _stretch(x: _Scale, times: NDArray[np.float64], begin: float, end: float) -> str:
    scale = COLUMNS / max(float(np.ptp(times)), 1e-9)
    left, right = (x(float(np.clip((at - times.min()) * scale, 0.0, COLUMNS))) for at in (begin, end))
    return (
        f'<rect class="stretch" x="{left:.1f}" y="{TOP}" width="{max(right - left, 2.0):.1f}" height="{HEIGHT - TOP - BOTTOM}">'
        f"<title>{_stamp(begin)}</title></rect>"
    )


def _extremes(column: NDArray[np.intp], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.full(COLUMNS, np.inf), np.full(COLUMNS, -np.inf)
    np.minimum.at(low, column, values)
    np.maximum.at(high, column, values)
    return np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)


def _line(low: NDArray[np.float64], high: NDArray[np.float64], x: _Scale, y: _Scale) -> str:
    path: list[str] = []
    for place in np.flatnonzero(np.isfinite(low)):
        path.append(
            f"{'L' if path else 'M'}{x(float(place)):.1f} {y(float(low[place])):.1f}V{y(float(high[place])):.1f}"
        )
    return "".join(path)


def _area(low: NDArray[np.float64], high: NDArray[np.float64], x: _Scale, y: _Scale) -> str:
    """Return closed stretches: a gap in the band is no band."""
    paths = []
    known = np.flatnonzero(np.isfinite(low))
    for stretch in np.split(known, np.flatnonzero(np.diff(known) > MOST_BRIDGED) + 1):
        if len(stretch):
            there = [f"{x(float(place)):.1f} {y(float(high[place])):.1f}" for place in stretch]
            back = [f"{x(float(place)):.1f} {y(float(low[place])):.1f}" for place in stretch[::-1]]
            paths.append(f"M{'L'.join([*there, *back])}Z")
    return "".join(paths)


def _stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(float(seconds), tz=UTC):%Y-%m-%d %H:%M} UTC"
