"""A small picture of the first symptom, as an SVG path: no axis, no script."""

from dataclasses import dataclass

from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind, Role

WIDTH, HEIGHT = 96.0, 24.0
POINTS = 60


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`path` and the usual band in a box of 96 × 24; `band_height` is 0 when the usual range is not known."""

    path: str
    band_top: float
    band_height: float
    label: str


def sparkline(bundle: EvidenceBundle) -> Sparkline | None:
    """Return the picture of the first symptom that has at least two points, or None."""
    for item in bundle.by_role(Role.SYMPTOM):
        if item.kind is Kind.METRIC and (picture := _picture(item)):
            return picture
    return None


def _picture(item: Evidence) -> Sparkline | None:
    pairs = list(zip(item.detail.get("times", ()), item.detail.get("values", ()), strict=False))
    pairs = pairs[:: max(1, len(pairs) // POINTS)]
    values = [v for _, v in pairs if v is not None]
    if len(values) < 2:
        return None
    usual = [v for v in (item.detail.get("low"), item.detail.get("high")) if v is not None]
    low: float = min(0.0, *values, *usual)
    high: float = max(*values, *usual)
    first, last = pairs[0][0], pairs[-1][0]

    def y(value: float) -> float:
        return round(HEIGHT - 2 - (value - low) / ((high - low) or 1.0) * (HEIGHT - 4), 2)

    path, pen = [], "M"
    for t, v in pairs:
        if v is None:  # a gap stays a gap
            pen = "M"
            continue
        path.append(f"{pen}{(t - first) / ((last - first) or 1.0) * WIDTH:.1f} {y(v)}")
        pen = "L"
    band_top = y(usual[1]) if len(usual) == 2 else 0.0
    band_height = max(y(usual[0]) - band_top, 1.5) if len(usual) == 2 else 0.0
    return Sparkline("".join(path), band_top, band_height, item.statement)
