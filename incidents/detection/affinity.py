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
from functools import cached_property

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
_NO_TIME, _TEN_MINUTES = timedelta(0), timedelta(minutes=10)
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

    @cached_property
    def burst(self) -> float:
        """The feature of that name, which is everybody's."""
        alerts = self.alerts_in_five_minutes
        return min(1.0, max(0.0, math.log(max(alerts, 1) / 30) / math.log(500 / 30)))

    def word_weights(self, words: Mapping[str, int]) -> tuple[dict[str, float], float]:
        """Return each word's TF-IDF weight and the length of them all. A word's repetitions say little, so they count by their
        logarithm: an incident of a hundred alerts would be its commonest word alone."""
        known = self._words.get(id(words))
        if known is None:
            weights = {
                word: (1 + math.log(count)) * self.rarity(self.word_counts.get(word, 0))
                for word, count in words.items()
            }
            known = words, weights, math.sqrt(sum(weight * weight for weight in weights.values()))
            self._words[id(words)] = known
        return known[1], known[2]

    def label_weights(self, labels: frozenset[Label]) -> tuple[dict[Label, float], float]:
        """Return how much each label tells, and the sum."""
        known = self._labels.get(labels)
        if known is None:
            weights = {label: self.rarity(self.label_counts.get(label, 0)) for label in labels}
            known = self._labels[labels] = weights, sum(weights.values())
        return known

    def reach(self, services: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the services that are one call away from these, and two."""
        known = self._reach.get(services)
        if known is None:
            one = frozenset[str]().union(*(self.neighbours.get(name, ()) for name in services))
            two = frozenset[str]().union(*(self.neighbours.get(name, ()) for name in one))
            known = self._reach[services] = one, two
        return known

    # What was worked out for this batch: an alert is compared with two hundred incidents, an incident with thousands of alerts. Words
    # are known by their identity, and kept here so that no others can take it.
    @cached_property
    def _words(self) -> dict[int, tuple[Mapping[str, int], dict[str, float], float]]:
        return {}

    @cached_property
    def _labels(self) -> dict[frozenset[Label], tuple[dict[Label, float], float]]:
        return {}

    @cached_property
    def _reach(self) -> dict[frozenset[str], tuple[frozenset[str], frozenset[str]]]:
        return {}


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
    gap = max(alert.began_at - incident.last_at, incident.began_at - alert.last_at, _NO_TIME)
    known = alert.environments and incident.environments
    return {
        "same service": float(bool(alert.services & incident.services)),
        "calls": _nearness(alert.services, incident.services, within),
        "shared labels": _shared(alert.labels, incident.labels, within),
        "wording": _cosine(alert.words, incident.words, within),
        "same team": float(bool(alert.teams & incident.teams)),
        "other environment": float(bool(known) and not alert.environments & incident.environments),
        "after the same change": _change(alert, incident, within),
        "ten minutes apart": min(gap, LONGEST_GAP) / _TEN_MINUTES,
        "burst": within.burst,
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


def _nearness(ours: frozenset[str], theirs: frozenset[str], within: Surroundings) -> float:
    if not ours.isdisjoint(theirs):
        return 0.0  # it is the same service, which counts by itself
    one, two = within.reach(ours)
    if not one.isdisjoint(theirs):
        return 1.0
    return 0.0 if two.isdisjoint(theirs) else 0.4


def _shared(ours: frozenset[Label], theirs: frozenset[Label], within: Surroundings) -> float:
    if ours.isdisjoint(theirs):
        return 0.0
    weights, total = within.label_weights(ours)
    return sum(weights[label] for label in ours & theirs) / total


def _cosine(ours: Mapping[str, int], theirs: Mapping[str, int], within: Surroundings) -> float:
    common = ours.keys() & theirs.keys()
    if not common:
        return 0.0
    (mine, my_length), (other, their_length) = within.word_weights(ours), within.word_weights(theirs)
    return min(1.0, sum(mine[word] * other[word] for word in common) / (my_length * their_length))


def _change(alert: Trouble, incident: Trouble, within: Surroundings) -> float:
    if not within.changes:
        return 0.0
    began = min(alert.began_at, incident.began_at)
    names = alert.services & incident.services or alert.services | incident.services
    for name in within.changes.keys() & names:
        if any(began - CHANGE_LEAD <= at <= began for at in within.changes[name]):
            return 1.0
    return 0.0


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))
