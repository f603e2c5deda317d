"""What kind of fault a suspect's leads look like, and where within the service."""

from collections.abc import Sequence

from incidents.localization.findings import Lead
from incidents.localization.suspects import Family, Inner, Modality

# Of two families the one that brings the other about is the fault, when it is at least this strong in comparison: what runs out makes
# things slow and lets them fail; what fails leaves steps out.
COMPARABLE = 0.5
BRINGS_ABOUT = (
    (Family.RESOURCE, Family.LATENCY),
    (Family.RESOURCE, Family.ERROR),
    (Family.RESOURCE, Family.CODE_PATH),
    (Family.ERROR, Family.CODE_PATH),
)


def family_of(leads: Sequence[Lead]) -> Family:
    """Return the family of the strongest lead, or the one that brings it about and is nearly as strong; UNCLEAR without a lead."""
    strength: dict[Family, float] = {}
    for lead in leads:
        if lead.family is not Family.UNCLEAR and lead.strength > 0:
            strength[lead.family] = max(strength.get(lead.family, 0.0), lead.strength)
    if not strength:
        return Family.UNCLEAR
    strongest = max(strength, key=lambda family: strength[family])
    causes = [cause for cause, effect in BRINGS_ABOUT if effect is strongest and cause in strength]
    near = [cause for cause in causes if strength[cause] >= COMPARABLE * strength[strongest]]
    return max(near, key=lambda family: strength[family]) if near else strongest


def inner_of(leads: Sequence[Lead], family: Family) -> Inner:
    """Return the place that the strongest lead of the family shows."""
    own = sorted((lead for lead in leads if lead.family is family), key=lambda lead: -lead.strength)
    for lead in own:
        finding = lead.finding
        if finding.modality is Modality.METRICS:
            return Inner("resource" if family is Family.RESOURCE else "series", finding.statistic)
        if finding.template:
            return Inner("log template", finding.template, finding.operation)
        if lead.aspect == "hop":
            return Inner("connection", finding.statistic.rpartition(",")[0], finding.operation)
        if finding.operation:
            return Inner("operation", finding.operation, finding.operation)
    return Inner()
