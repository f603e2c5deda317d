"""Cart: what a customer is about to buy, in Valkey, forgotten after an hour."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from demo.shop.configuration import ServiceConfiguration
from demo.shop.serving import Operation, application, number
from demo.shop.storage import Cache, client_span

VERSION = "1.8.0"
KEPT_SECONDS = 3_600
MOST_OF_ONE = 99


class Cart:
    """The handlers, and what they share."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._cache = Cache(config)

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[None]:
        """Close the connections at the end."""
        try:
            yield
        finally:
            await self._cache.close()

    def _key(self, request: Request) -> str:
        return self._cache.key(f"cart:{number(request, 'customer')}")

    async def show(self, request: Request) -> Response:
        """GET /carts/{customer}: quantities by product."""
        with client_span("redis", "HGETALL"):
            lines = await self._cache.client.hgetall(self._key(request))
        return JSONResponse({str(product): int(quantity) for product, quantity in lines.items()})

    async def add(self, request: Request) -> Response:
        """POST /carts/{customer}/lines: put some of a product into the cart."""
        key = self._key(request)
        line = await request.json()
        product, quantity = line.get("product"), line.get("quantity")
        if not isinstance(product, int) or not isinstance(quantity, int) or not 1 <= quantity <= MOST_OF_ONE:
            raise HTTPException(
                400,
                f"product={product!r:.40} quantity={quantity!r:.40}: give whole numbers, at most {MOST_OF_ONE} of one product",
            )
        with client_span("redis", "HINCRBY"):
            pipeline = self._cache.client.pipeline()
            pipeline.hincrby(key, str(product), quantity)
            pipeline.expire(key, KEPT_SECONDS)
            await pipeline.execute()
        return JSONResponse({"product": product}, status_code=201)

    async def empty(self, request: Request) -> Response:
        """DELETE /carts/{customer}: forget what is in it."""
        with client_span("redis", "DEL"):
            await self._cache.client.delete(self._key(request))
        return Response(status_code=204)


def build(config: ServiceConfiguration) -> Starlette:
    """Return the cart's application."""
    cart = Cart(config)
    return application(
        config,
        operations=(
            Operation("GET", "/carts/{customer}", cart.show),
            Operation("POST", "/carts/{customer}/lines", cart.add),
            Operation("DELETE", "/carts/{customer}", cart.empty),
        ),
        resources=cart.resources(),
    )
