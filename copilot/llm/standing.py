"""How each configured model stands: what it can do, what it is asked for, and whether it rests after failures."""

from dataclasses import dataclass
from datetime import datetime

from copilot.llm import capabilities, providers
from copilot.llm.capabilities import Capabilities
from copilot.llm.purposes import Purpose
from copilot.models import LanguageModel


@dataclass(frozen=True, slots=True)
class Standing:
    """One model. `rests_until` is None while it may be asked; `probed_at` is None for what was only described."""

    name: str
    purposes: tuple[Purpose, ...]
    can: Capabilities
    probed_at: datetime | None
    probe_failure: str
    failures: int
    last_failure: str
    rests_until: datetime | None

    @property
    def summary(self) -> str:
        """Return what it can do in a line."""
        known = {
            "tools": self.can.tool_calling,
            "structured output": self.can.structured_output,
            "streaming": self.can.streaming,
        }
        said = [name if can else f"no {name}" for name, can in known.items() if can is not None]
        if self.can.context_tokens:
            said.append(f"reads {self.can.context_tokens:,} tokens")
        said.append("price known" if self.can.price_known else "price not known")
        return ", ".join(said)


def standings(*, now: datetime) -> list[Standing]:
    """Return the configured models in the order in which they are asked. Raises ImproperlyConfigured."""
    rows = {row.name: row for row in LanguageModel.objects.all()}
    found = []
    for choice in providers.all_choices():
        row = rows.get(choice.name) or LanguageModel(name=choice.name)
        rests = row.rests_until if row.rests_until and row.rests_until > now else None
        found.append(
            Standing(
                name=choice.name,
                purposes=tuple(purpose for purpose in Purpose if choice in providers.choose(purpose)),
                can=capabilities.of_row(row),
                probed_at=row.probed_at,
                probe_failure=row.probe_failure,
                failures=row.failures,
                last_failure=row.last_failure,
                rests_until=rests,
            )
        )
    return found
