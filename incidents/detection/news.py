"""When a score is news: one alarm an episode, and another only where it grew clearly graver."""

import numpy as np
from numpy.typing import NDArray

# From this score on a departure is worth an alarm: fitted on the development half of the public series, where 0.5 to 0.75 do
# about as well (63 to 69 of 100 points). After an alarm only a graver departure is news, for this many samples: at five minutes, a working day.
ALARM = 0.65
COOL_DOWN_SAMPLES = 100
# Graver is what chance accounts for seven times (e²) less: a departure that grows sample by sample is one piece of news, not five. Three
# times to twenty times do as well, any more at all costs two points.
GRAVER = float(np.exp(2.0))


class News:
    """The gravest score of late of many series, one row each, and how many samples ago it was."""

    def __init__(self, rows: int) -> None:
        self.peak = np.zeros(rows)
        self.since_peak = np.zeros(rows)

    def advance(
        self, score: NDArray[np.float64], given: NDArray[np.bool_], *, alarm: float = ALARM
    ) -> NDArray[np.float64]:
        """Return the scores (in [0, 1], shape (rows,)) that are news, 0 for the others; rows that are not `given` stand still."""
        raised = self.peak >= alarm
        with np.errstate(divide="ignore"):
            bar = np.where(raised, 1.0 / (1.0 + (1.0 / self.peak - 1.0) / GRAVER), self.peak)
        is_news = score > bar
        self.since_peak = np.where(is_news, 0.0, self.since_peak + given)
        self.peak = np.where(is_news, score, np.where(self.since_peak > COOL_DOWN_SAMPLES, 0.0, self.peak))
        return np.where(is_news, score, 0.0)


def news_of(score: NDArray[np.float64], *, alarm: float) -> NDArray[np.float64]:
    """Return what would have been news of one series' scores, shape (n,), had alarms begun at another score; NaN is no sample."""
    news, said = News(1), np.zeros(len(score))
    for place, one in enumerate(score):
        given = np.isfinite(one)
        said[place] = news.advance(np.array([one if given else 0.0]), np.array([given]), alarm=alarm)[0]
    return said
