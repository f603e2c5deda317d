"""What a user reads is complete: every setting and every command is described."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def text() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_every_setting_is_described() -> None:
    source = (ROOT / "copilot" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'(?:env\.\w+|_seconds|_url|_language_model|_bounded)\(\s*"([A-Z_]+)"', source))
    assert {"DATABASE_URL", "COPILOT_LLM"} <= names
    assert not sorted(name for name in names if name not in text())


def test_every_command_is_described() -> None:
    names = {
        path.stem
        for app in ("copilot", "incidents", "runbooks")
        for path in (ROOT / app).glob("management/commands/[a-z]*.py")
    }
    assert {"up", "replay"} <= names
    assert not sorted(name for name in names if f"manage.py {name}" not in text())


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken
