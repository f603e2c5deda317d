"""Customers: an open-loop load of journeys on the storefront. A slow shop does not slow them down."""

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field

import httpx

from demo.shop.card_provider import DECLINED_CARD
from demo.shop.schema import CATEGORIES, CUSTOMERS, PRODUCTS

GOOD_CARDS = ("4111111111111111", "5555555555554444", "378282246310005")  # published test numbers
DECLINED_SHARE = 0.18
SEARCHES = (
    "amber",
    "valley tea",
    "ridge",
    "cedar",
    "honey",
    "river jam",
    "oil",
    "ember",
    "grove",
    "soap",
    "dawn",
    "coast coffee",
    "meadow",
)
ODD_SEARCHES = ("", "%", "' OR 1=1 --", "🍵", "x" * 200, "no such thing", "<script>")
JOURNEYS = {"browse": 38, "search": 22, "buy": 25, "look_back": 10, "odd": 5}
REQUESTS_PER_JOURNEY = 2.6  # the mean of the mix above
MOST_AT_ONCE = 300
CRAWLED_AT_ONCE = 4


@dataclass
class Tally:
    """What the customers saw: answers by status (0 for none), and journeys not begun because too many were under way."""

    answers: dict[int, int] = field(default_factory=dict)
    turned_away: int = 0

    def count(self, status: int) -> None:
        """Count one answer."""
        self.answers[status] = self.answers.get(status, 0) + 1


class Customers:
    """Customers who arrive at random, `rate` requests a second in the mean, each on a journey of a few requests."""

    def __init__(self, base_url: str, *, rate: float, seed: int = 1, think_seconds: float = 0.6) -> None:
        self.tally = Tally()
        self._base_url = base_url
        self._rate = rate / REQUESTS_PER_JOURNEY
        self._think_seconds = think_seconds
        self._random = random.Random(seed)  # noqa: S311 - who buys what, not a secret

    def run(self, stop: threading.Event) -> None:
        """Send customers until `stop` is set; blocks."""
        asyncio.run(self._arrive(stop))

    def look_at_everything(self) -> None:
        """Ask for every page of the catalog once, as a crawler would, so that a new shop's cache is warm; blocks."""
        asyncio.run(self._crawl())

    async def _crawl(self) -> None:
        pages = [*(f"/category/{name}" for name in CATEGORIES), *(f"/product/{n}" for n in range(1, PRODUCTS + 1))]
        pages += [f"/search?q={words}" for words in SEARCHES]
        async with httpx.AsyncClient(base_url=self._base_url, timeout=15, trust_env=False) as client:
            for first in range(0, len(pages), CRAWLED_AT_ONCE):
                for answer in await asyncio.gather(*map(client.get, pages[first : first + CRAWLED_AT_ONCE])):
                    answer.raise_for_status()

    async def _arrive(self, stop: threading.Event) -> None:
        under_way: set[asyncio.Task[None]] = set()
        limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=20)
        async with httpx.AsyncClient(base_url=self._base_url, timeout=15, limits=limits, trust_env=False) as client:
            arrival = time.monotonic()
            while not stop.is_set():
                # From one planned arrival to the next, not from when we woke up: a late wake-up does not thin the load.
                arrival += self._random.expovariate(self._rate)
                await asyncio.sleep(max(0.0, arrival - time.monotonic()))
                if len(under_way) >= MOST_AT_ONCE:
                    self.tally.turned_away += 1
                    continue
                task = asyncio.create_task(self._journey(client))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _journey(self, client: httpx.AsyncClient) -> None:
        kind = self._random.choices(list(JOURNEYS), weights=list(JOURNEYS.values()))[0]
        for position, (method, url, body) in enumerate(getattr(self, f"_{kind}")()):
            if position:
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._think_seconds)
            try:
                answer = await client.request(method, url, json=body)
            except httpx.TransportError:
                self.tally.count(0)
                return
            self.tally.count(answer.status_code)
            if answer.status_code >= 500:
                return  # who sees an error leaves

    def _product(self) -> int:
        """Return a product, the first ones far more often, as best-sellers are."""
        return 1 + int(PRODUCTS * self._random.random() ** 3)

    def _customer(self) -> int:
        return self._random.randint(1, CUSTOMERS)

    def _browse(self) -> list[tuple[str, str, object]]:
        first = "/" if self._random.random() < 0.4 else f"/category/{self._random.choice(CATEGORIES)}"
        return [
            ("GET", first, None),
            *(("GET", f"/product/{self._product()}", None) for _ in range(self._random.randint(1, 2))),
        ]

    def _search(self) -> list[tuple[str, str, object]]:
        return [
            ("GET", f"/search?q={self._random.choice(SEARCHES)}", None),
            ("GET", f"/product/{self._product()}", None),
        ]

    def _buy(self) -> list[tuple[str, str, object]]:
        customer, product = self._customer(), self._product()
        card = DECLINED_CARD if self._random.random() < DECLINED_SHARE else self._random.choice(GOOD_CARDS)
        return [
            ("GET", f"/product/{product}", None),
            ("POST", f"/cart?customer={customer}", {"product": product, "quantity": self._random.randint(1, 3)}),
            ("GET", f"/cart?customer={customer}", None),
            ("POST", f"/checkout?customer={customer}", {"card": card, "email": f"customer{customer}@example.com"}),
        ]

    def _look_back(self) -> list[tuple[str, str, object]]:
        return [("GET", f"/orders?customer={self._customer()}", None)]

    def _odd(self) -> list[tuple[str, str, object]]:
        return [
            self._random.choice(
                [
                    ("GET", str(httpx.URL("/search", params={"q": self._random.choice(ODD_SEARCHES)})), None),
                    ("GET", f"/product/{PRODUCTS + 400}", None),
                    ("GET", "/category/shoes", None),
                    ("POST", f"/cart?customer={self._customer()}", {"product": 1, "quantity": -1}),
                ]
            )
        ]
