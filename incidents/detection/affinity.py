"""How well an alert fits an open incident: features between the two, and a logistic score of them.

The weights are stated here as a prior and learned anew from what people did with earlier decisions (Bayesian logistic regression,
maximum a posteriori, by Newton's method: Bishop, Pattern Recognition and Machine Learning, 2006, §4.3 and §4.5).
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

# What each feature adds to the log odds of belonging together, per unit; `bias` is where nothing is known in common.
PRIOR: Mapping[str, float] = {
    "bias": -3.0,
    "same service": 3.8,
    "calls": 3.3,  # 1 for a direct caller or callee, 0.4 at two calls
    "shared labels": 2.5,  # share of the alert's labels that the incident has too, rare ones weighing more
    "wording": 2.0,  # cosine of names and summaries, TF-IDF
    "same team": 0.5,
    "other environment": -6.0,
    "after the same change": 0.8,
    "ten minutes apart": -2.0,  # time since the incident's last news, in tens of minutes
    "burst": 1.2,  # 0 below 30 alerts in five minutes, 1 from 500 on
}
NAMES = tuple(PRIOR)
THRESHOLD = 0.5
# How far a weight may be learned away from its prior, and how firmly the prior holds (precision of its normal distribution).
FARTHEST, PRECISION = 2.0, 4.0
NEWTON_STEPS = 12
LONGEST_GAP = timedelta(hours=1)
CHANGE_LEAD = timedelta(minutes=30)
WORDS_EACH = 60
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]{2,}(?![a-z])")
# Labels that say how bad or who asks, not what it is about; and those that are features of their own.
_EMPTY_LABELS = frozenset({"severity", "alertname", "receiver", "grafana_folder", "rule_uid", "alert_rule_uid"})
_OWN_FEATURES = frozenset({"service", "service_name", "team", "env", "environment"})

Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is compared: one alert, or an incident as the sum of its alerts and anomalies. `began_at` and `last_at` are UTC."""

    services: frozenset[str]
    began_at: datetime
    last_at: datetime
    labels: frozenset[Label] = frozenset()
    words: Mapping[str, int] = field(default_factory=dict)
    teams: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Surroundings:
    """What one batch of decisions is made in. `documents` recent alerts hold each word and label so often; `calls` is who calls whom."""

    documents: int
    word_counts: Mapping[str, int]
    label_counts: Mapping[Label, int]
    neighbours: Mapping[str, frozenset[str]]
    changes: Mapping[str, Sequence[datetime]]
    alerts_in_five_minutes: int = 1

    def rarity(self, count: int) -> float:
        """Return how much one that occurs in `count` recent alerts tells, above 0: the inverse document frequency, smoothed."""
        return math.log((1 + self.documents) / (1 + min(count, self.documents))) + 0.1


def words_of(*texts: str) -> Counter[str]:
    """Return the words of a name and a summary, lower case and without numbers, at most 60 of them."""
    found = (word.lower() for text in texts for word in _WORD.findall(text))
    return Counter([word for word in found if len(word) > 2][:WORDS_EACH])


def labels_of(labels: Mapping[str, object]) -> frozenset[Label]:
    """Return the labels that say what an alert is about."""
    left_out = _EMPTY_LABELS | _OWN_FEATURES
    return frozenset((name, str(value)) for name, value in labels.items() if name not in left_out and value != "")


def counts_of(sets: Iterable[Collection[Label]]) -> Counter[Label]:
    """Return in how many of the sets each label occurs."""
    return Counter(label for one in sets for label in one)


def neighbours_of(edges: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return for each service those that it calls or is called by."""
    found: dict[str, set[str]] = {}
    for caller, callee in edges:
        found.setdefault(caller, set()).add(callee)
        found.setdefault(callee, set()).add(caller)
    return {name: frozenset(others) for name, others in found.items()}


def features(alert: Trouble, incident: Trouble, *, within: Surroundings) -> dict[str, float]:
    """Return what the two have in common, by the names in PRIOR without `bias`; shares and cosines lie in 0…1, the gap in 0…6."""
    gap = max(alert.began_at - incident.last_at, incident.began_at - alert.last_at, timedelta(0))
    known = alert.environments and incident.environments
    return {
        "same service": float(bool(alert.services & incident.services)),
        "calls": _nearness(alert.services, incident.services, within.neighbours),
        "shared labels": _shared(alert.labels, incident.labels, within),
        "wording": _cosine(alert.words, incident.words, within),
        "same team": float(bool(alert.teams & incident.teams)),
        "other environment": float(bool(known) and not alert.environments & incident.environments),
        "after the same change": _change(alert, incident, within),
        "ten minutes apart": min(gap, LONGEST_GAP) / timedelta(minutes=10),
        "burst": _burst(within.alerts_in_five_minutes),
    }


def score(found: Mapping[str, float], *, weights: Mapping[str, float] = PRIOR) -> float:
    """Return the probability, 0…1, that they belong together; above 0.5 the alert joins."""
    return _sigmoid(weights["bias"] + sum(weights[name] * value for name, value in found.items() if name in weights))


def learn(examples: Sequence[tuple[Mapping[str, float], bool]]) -> dict[str, float]:
    """Return the weights after what people decided: (features, whether they belong together) each.

    The prior holds each weight like four certain examples would, and none goes further than 2 from it: a handful of clicks bends the
    score and never turns it around. Without examples it is the prior itself.
    """
    start = np.array([PRIOR[name] for name in NAMES])
    if not examples:
        return dict(PRIOR)
    table = np.array([[1.0, *(found.get(name, 0.0) for name in NAMES[1:])] for found, _ in examples])
    truth = np.array([1.0 if together else 0.0 for _, together in examples])
    weights = start.copy()
    for _ in range(NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(table @ weights, -30, 30)))
        slope: NDArray[np.float64] = table.T @ (chance - truth) + PRECISION * (weights - start)
        bend = table.T @ (table * (chance * (1 - chance))[:, None]) + PRECISION * np.eye(len(NAMES))
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-6:
            break
    learned = np.clip(weights, start - FARTHEST, start + FARTHEST)
    return {name: round(float(value), 4) for name, value in zip(NAMES, learned, strict=True)}


def reasons(found: Mapping[str, float], *, weights: Mapping[str, float] = PRIOR) -> list[str]:
    """Return the names of the features that spoke for it, the strongest first."""
    spoke = {name: weights[name] * value for name, value in found.items() if name in weights}
    return sorted((name for name, value in spoke.items() if value > 0.15), key=lambda name: -spoke[name])


def rare_labels(alert: Trouble, incident: Trouble, *, within: Surroundings) -> list[Label]:
    """Return the labels that both have, the rarest first."""
    return sorted(
        alert.labels & incident.labels, key=lambda label: (-within.rarity(within.label_counts.get(label, 0)), label)
    )


def _nearness(ours: frozenset[str], theirs: frozenset[str], neighbours: Mapping[str, frozenset[str]]) -> float:
    if ours & theirs:
        return 0.0  # it is the same service, which counts by itself
    near = frozenset().union(*(neighbours.get(name, frozenset()) for name in ours))
    if near & theirs:
        return 1.0
    return 0.4 if any(near & neighbours.get(name, frozenset()) for name in theirs) else 0.0


def _shared(ours: frozenset[Label], theirs: frozenset[Label], within: Surroundings) -> float:
    total = common = 0.0
    for label in ours:
        weight = within.rarity(within.label_counts.get(label, 0))
        total += weight
        if label in theirs:
            common += weight
    return common / total if total else 0.0


def _cosine(ours: Mapping[str, int], theirs: Mapping[str, int], within: Surroundings) -> float:
    common = ours.keys() & theirs.keys()
    if not common:
        return 0.0
    weight = {word: within.rarity(within.word_counts.get(word, 0)) for word in ours.keys() | theirs.keys()}
    # A word's repetitions say little: logarithmic, or an incident of a hundred alerts would be its commonest word alone.
    mine = {word: (1 + math.log(count)) * weight[word] for word, count in ours.items()}
    other = {word: (1 + math.log(count)) * weight[word] for word, count in theirs.items()}
    product = sum(mine[word] * other[word] for word in common)
    return min(1.0, product / math.sqrt(sum(v * v for v in mine.values()) * sum(v * v for v in other.values())))


def _change(alert: Trouble, incident: Trouble, within: Surroundings) -> float:
    began = min(alert.began_at, incident.began_at)
    for name in alert.services & incident.services or alert.services | incident.services:
        if any(began - CHANGE_LEAD <= at <= began for at in within.changes.get(name, ())):
            return 1.0
    return 0.0


def _burst(alerts: int) -> float:
    return min(1.0, max(0.0, math.log(max(alerts, 1) / 30) / math.log(500 / 30)))


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))
