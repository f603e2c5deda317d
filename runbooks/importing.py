"""Runbooks and postmortems from a folder of Markdown files, with an optional front matter. Importing again changes only what changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from django.db import transaction
from django.utils.text import slugify

from runbooks import curation
from runbooks.models import Document, Revision

MAX_FILE_BYTES = 1_000_000
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_FIRST_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_KNOWN_KEYS = {"title", "services", "tags", "owner", "reviewed"}


class ImportFailed(Exception):
    """The folder cannot be imported; the message says why and what to do."""


class FileRefused(Exception):
    """One file cannot be imported; the message says why."""


@dataclass(slots=True)
class ImportReport:
    """What became of each file, by slug; `refused` holds "file: reason"."""

    created: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def import_folder(
    path: Path, *, kind: str, now: datetime, mask: Callable[[str], str] = str, approve: bool = True
) -> ImportReport:
    """Import every .md file of the folder as a document of that kind, named after its file, and approve it unless told not to.

    A file whose text was imported before makes no new revision, even if a person edited the document since; a draft that a person is
    writing is left alone and the file refused. `mask` takes secrets out before anything is stored. Raises ImportFailed when
    there is nothing to import; a file that cannot be read is reported, and the others go on.
    """
    if not path.is_dir():
        raise ImportFailed(f"{path} is no folder: give one that holds .md files.")
    files = sorted(file for file in path.glob("*.md") if file.name.lower() != "readme.md")
    if not files:
        raise ImportFailed(f"{path} holds no .md files.")
    report = ImportReport()
    for file in files:
        slug = slugify(file.stem)[:120]
        try:
            if not slug or slug in curation.RESERVED_SLUGS:
                raise FileRefused("its name makes no address: call it something with more letters or digits")
            outcome = _import_text(_read(file, mask), slug=slug, source=file.name, kind=kind, now=now, approve=approve)
        except (FileRefused, curation.CurationError) as error:
            report.refused.append(f"{file.name}: {error}")
            continue
        outcomes = {"created": report.created, "revised": report.revised, "unchanged": report.unchanged}
        outcomes[outcome].append(slug)
    return report


def _read(file: Path, mask: Callable[[str], str]) -> curation.Text:
    if file.stat().st_size > MAX_FILE_BYTES:
        raise FileRefused(f"it has {file.stat().st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(f"it is not UTF-8 (byte {error.start})") from error
    content = mask(content.replace("\r\n", "\n"))
    front = _FRONT_MATTER.match(content)
    fields = _fields(front.group(1)) if front else {}
    body = content[front.end() :] if front else content
    heading = _FIRST_HEADING.search(body)
    return curation.Text(
        title=fields.get("title") or (heading.group(1) if heading else file.stem.replace("-", " ").capitalize()),
        markdown=body.strip("\n") + "\n",
        services=_names(fields.get("services", "")),
        tags=_names(fields.get("tags", "")),
        owner=fields.get("owner", ""),
        reviewed_on=_date(fields.get("reviewed", "")),
    )


def _fields(front_matter: str) -> dict[str, str]:
    """Read "key: value" lines; values are text, lists are comma-separated, with or without brackets. Unknown keys are ignored."""
    fields = {}
    for line in front_matter.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() in _KNOWN_KEYS:
            fields[key.strip().lower()] = value.strip().strip("\"'")
    return fields


def _names(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.strip("[]").split(",") if (name := part.strip().strip("\"'")))


def _date(value: str) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise FileRefused(f"reviewed: {value!r} is no date; write it as 2026-11-30") from error


def _import_text(text: curation.Text, *, slug: str, source: str, kind: str, now: datetime, approve: bool) -> str:
    with transaction.atomic():
        document, is_new = Document.objects.select_for_update().get_or_create(slug=slug, defaults={"kind": kind})
        if document.kind != kind:
            raise FileRefused(f"{slug} is already a {document.kind}, not a {kind}")
        imported = document.revisions.filter(source=source).order_by("-number").first()
        same_text = imported is not None and (imported.title, imported.markdown, imported.reviewed_on) == (
            text.title,
            text.markdown,
            text.reviewed_on,
        )
        about = (list(text.services), list(text.tags), text.owner)
        if same_text and (document.services, document.tags, document.owner) == about:
            return "unchanged"
        if document.revisions.filter(state=Revision.State.DRAFT).exclude(source=source).exists():
            raise FileRefused(f"somebody is editing {slug}: approve or discard that draft first")
        revision = curation.revise(document, text, by=None, now=now, source=source)
        if approve:
            curation.approve(revision, by=None, now=now)
        return "created" if is_new else "revised"
