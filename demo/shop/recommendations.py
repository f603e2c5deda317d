"""Which goods go with which: a small similarity rebuilt in the background of the catalog."""

import logging
import threading

log = logging.getLogger("shop.recommendations")


class Recommendations:
    """Related products by the words that their names share, rebuilt one product at a time by background threads.

    Usually one worker does one product a second. With no pause and more workers it takes all the processor time that the
    process can get, and every request of the same process waits for its turn: that is the fault "cpu-hog".
    """

    def __init__(self, *, pause_seconds: float = 1.0) -> None:
        self._usual_pause_seconds = pause_seconds
        self._words: dict[int, frozenset[str]] = {}
        self._related: dict[int, tuple[int, ...]] = {}
        self._threads: list[threading.Thread] = []
        self._generation = threading.Event()  # set when the running workers are to end

    def learn(self, names: dict[int, str]) -> None:
        """Take the products' names and start the usual single worker."""
        self._words = {product: frozenset(name.lower().split()) for product, name in names.items()}
        self.rebuild(workers=1, pause_seconds=self._usual_pause_seconds)

    def related(self, product: int) -> tuple[int, ...]:
        """Return up to four products that go with this one; empty until they are known."""
        return self._related.get(product, ())

    def rebuild(self, *, workers: int, pause_seconds: float | None = None) -> None:
        """End the running workers and start so many others."""
        self.stop()
        pause = self._usual_pause_seconds if pause_seconds is None else pause_seconds
        log.info("rebuilding recommendations with %d workers, %g s between products", workers, pause)
        self._generation = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(self._generation, pause), daemon=True) for _ in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the workers."""
        self._generation.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads = []

    def _work(self, ended: threading.Event, pause_seconds: float) -> None:
        while not ended.is_set():
            for product, words in self._words.items():
                likeness = sorted(
                    (
                        (len(words & others) / len(words | others), other)
                        for other, others in self._words.items()
                        if other != product
                    ),
                    reverse=True,
                )
                self._related[product] = tuple(other for _, other in likeness[:4])
                if ended.wait(pause_seconds) if pause_seconds else ended.is_set():
                    return
