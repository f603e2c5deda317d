"""The design's promises that arithmetic can check: contrast of the token pairs, and nothing inline in a template."""

import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOKENS = (ROOT / "static/css/tokens.css").read_text(encoding="utf-8")
Colour = tuple[float, float, float]
TEXT, CONTROL = 4.5, 3.0
INKS = ("ink", "ink-2", "ink-3", "accent", "bad", "serious", "warn", "info", "good", "quiet")
GROUNDS = ("canvas", "surface", "sunken", "raised")
PAIRS = [
    *((ink, ground, TEXT) for ink in INKS for ground in GROUNDS if ground != "raised" or ink.startswith("ink")),
    ("on-accent", "accent", TEXT),
    ("on-bad", "bad", TEXT),
    ("ink", "warn-bg", TEXT),
    ("warn", "warn-bg", TEXT),
    ("ink", "mark", TEXT),
    *((line, ground, CONTROL) for line in ("line-strong", "focus") for ground in GROUNDS[:2]),
    *((f"series-{number}", "surface", CONTROL) for number in range(1, 5)),
]


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Relative luminance of an OKLCH colour, out-of-gamut channels clipped. Source: Ottosson 2020; WCAG 2.2."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, channel)) for channel in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def colours(theme: int) -> dict[str, Colour]:
    """Every token that is a light-dark() pair of opaque colours, by name; theme 0 is light, 1 dark."""
    pair = re.compile(r"--([\w-]+):\s*light-dark\(oklch\(([^)/]+)\),\s*oklch\(([^)/]+)\)\)")
    found = {}
    for name, *sides in pair.findall(TOKENS):
        values = [float(number) for number in sides[theme].split()]
        found[name] = (values[0], *(values[1:] if len(values) == 3 else (0.0, 0.0)))
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS, ids=lambda value: str(value))
def test_contrast(theme: int, ink: str, ground: str, least: float) -> None:
    tokens = colours(theme)
    lighter, darker = sorted((luminance(*tokens[ink]), luminance(*tokens[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least


def test_literal_colours_are_tokens() -> None:
    literal = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch|lab|lch)a?\(", re.IGNORECASE)
    faults = [
        f"{path.name}: {found.group()}"
        for path in (ROOT / "static/css").glob("*.css")
        if path.name != "tokens.css"
        for found in literal.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not faults, f"name them in tokens.css: {faults}"


def test_templates_hold_no_inline_style_script_or_handler() -> None:
    inline = re.compile(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
    faults = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in (ROOT / "templates").rglob("*.html")
        for found in inline.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not faults, f"the Content-Security-Policy refuses them: {faults}"


def test_every_icon_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([\w]+)"', (ROOT / "templates/icons.svg").read_text(encoding="utf-8")))
    used = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'href="#i-(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert used <= drawn
