"""Catalog: products, categories, search and prices, from PostgreSQL through a Valkey cache.

Version 2.4.0 shows a price per kilogram or litre, and cannot read the multi-packs: that is the fault "bad-deploy".
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from psycopg.rows import DictRow
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from demo.shop.configuration import ServiceConfiguration
from demo.shop.recommendations import Recommendations
from demo.shop.serving import Operation, application, number
from demo.shop.storage import Cache, Database

VERSION = "2.3.1"
BAD_VERSION = "2.4.0"
CACHE_SECONDS = 900
HOG_WORKERS = 4
LONGEST_SEARCH = 80  # characters

log = logging.getLogger("shop.catalog")


class Catalog:
    """The handlers, and what they share."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._shows_unit_price = config.version == BAD_VERSION
        self._database = Database(config, pool_size=5, wait_seconds=4)
        self._cache = Cache(config)
        self._cache.report_hit_ratio()
        self._cache_seconds = CACHE_SECONDS
        self._recommendations = Recommendations()

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[None]:
        """Open the pool and start the recommendations; close both at the end."""
        await self._database.pool.open(wait=True, timeout=20)
        rows = await self._database.fetch("SELECT products", "SELECT id, name FROM products")
        self._recommendations.learn({row["id"]: row["name"] for row in rows})
        try:
            yield
        finally:
            self._recommendations.stop()
            await self._cache.close()
            await self._database.pool.close()

    async def category(self, request: Request) -> Response:
        """GET /products?category=: the category's best rated products."""
        name = request.query_params.get("category", "")

        async def load() -> list[DictRow]:
            return await self._database.fetch(
                "SELECT products",
                "SELECT p.id, p.name, p.pack, p.price_cents, round(avg(r.stars), 2)::float AS stars, count(*) AS reviews "
                "FROM products p JOIN reviews r ON r.product_id = p.id WHERE p.category = %s GROUP BY p.id ORDER BY stars DESC, p.id LIMIT 24",
                (name,),
            )

        rows = await self._cached(f"category:{name}", load)
        if not rows:
            raise HTTPException(404, f"no category {name[:40]!r}")
        return JSONResponse([self._shown(row) for row in rows])

    async def product(self, request: Request) -> Response:
        """GET /products/{id}: one product with its rating and what goes with it."""
        wanted = number(request, "id")

        async def load() -> list[DictRow]:
            return await self._database.fetch(
                "SELECT products",
                "SELECT p.id, p.name, p.pack, p.price_cents, round(avg(r.stars), 2)::float AS stars, count(*) AS reviews "
                "FROM products p JOIN reviews r ON r.product_id = p.id WHERE p.id = %s GROUP BY p.id",
                (wanted,),
            )

        rows = await self._cached(f"product:{wanted}", load)
        if not rows:
            raise HTTPException(404, f"no product {wanted}")
        return JSONResponse({**self._shown(rows[0]), "related": self._recommendations.related(wanted)})

    async def search(self, request: Request) -> Response:
        """GET /search?q=: products whose name holds the words, best rated first."""
        words = " ".join(request.query_params.get("q", "").lower().split())
        if not words or len(words) > LONGEST_SEARCH or "\x00" in words:
            raise HTTPException(400, f"q: give 1 to {LONGEST_SEARCH} characters")

        async def load() -> list[DictRow]:
            pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            return await self._database.fetch(
                "SELECT products",
                "SELECT p.id, p.name, p.pack, p.price_cents, round(avg(r.stars), 2)::float AS stars, count(*) AS reviews "
                "FROM products p JOIN reviews r ON r.product_id = p.id WHERE p.name ILIKE %s GROUP BY p.id ORDER BY stars DESC, p.id LIMIT 24",
                (pattern,),
            )

        rows = await self._cached(f"search:{words}", load)
        log.info("search %r found %d products", words, len(rows))
        return JSONResponse([self._shown(row) for row in rows])

    async def prices(self, request: Request) -> Response:
        """POST /prices: what the products of an order cost, in cents, from the table itself: a price must not be stale."""
        products = [int(product) for product in (await request.json())["products"]]
        rows = await self._database.fetch(
            "SELECT products", "SELECT id, price_cents FROM products WHERE id = ANY(%s)", (products,)
        )
        return JSONResponse({row["id"]: row["price_cents"] for row in rows})

    async def _cached(self, name: str, load: Callable[[], Awaitable[list[DictRow]]]) -> list[dict[str, Any]]:
        """Return the cached rows, or load them and keep them. Nothing stops two requests from loading the same at once."""
        kept = await self._cache.get(name)
        if kept is not None:
            rows: list[dict[str, Any]] = json.loads(kept)
            return rows
        loaded = await load()
        if loaded and self._cache_seconds:
            await self._cache.put(name, json.dumps(loaded), seconds=self._cache_seconds)
        return loaded

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self._shows_unit_price:
            return row
        amount, unit = row["pack"].split(" ")
        whole = "kg" if unit == "g" else "l"
        return {**row, "unit_price": f"{row['price_cents'] / float(amount) * 10:.2f} per {whole}"}

    async def stop_caching(self, on: bool) -> None:
        """Fault "cache-stampede": entries no longer live, so every request goes to the database."""
        self._cache_seconds = 0 if on else CACHE_SECONDS
        forgotten = await self._cache.forget_all()
        log.info("cache settings reloaded: entries live %d s, %d entries removed", self._cache_seconds, forgotten)

    async def hog_cpu(self, on: bool) -> None:
        """Fault "cpu-hog": the recommendations are rebuilt by many workers without a pause."""
        self._recommendations.rebuild(workers=HOG_WORKERS if on else 1, pause_seconds=0 if on else None)


def build(config: ServiceConfiguration) -> Starlette:
    """Return the catalog's application."""
    catalog = Catalog(config)
    return application(
        config,
        operations=(
            Operation("GET", "/products", catalog.category),
            Operation("GET", "/products/{id}", catalog.product),
            Operation("GET", "/search", catalog.search),
            Operation("POST", "/prices", catalog.prices),
        ),
        faults={"cache-stampede": catalog.stop_caching, "cpu-hog": catalog.hog_cpu},
        resources=catalog.resources(),
    )
