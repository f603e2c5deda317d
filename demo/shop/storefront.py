"""Storefront: the front door; every page is put together from the other services."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from demo.shop.calling import Downstream
from demo.shop.configuration import ServiceConfiguration
from demo.shop.serving import Operation, application, number

VERSION = "4.1.2"
FEATURED = "tea"

log = logging.getLogger("shop.storefront")


def _passed_on(answer: httpx.Response) -> Response:
    return Response(answer.content, status_code=answer.status_code, media_type="application/json")


class Storefront:
    """The handlers, and what they share."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._catalog = Downstream("catalog", config.peers["catalog"], timeout_seconds=5)
        self._cart = Downstream("cart", config.peers["cart"], timeout_seconds=3)
        self._orders = Downstream("orders", config.peers["orders"], timeout_seconds=8)

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[None]:
        """Close the connections at the end."""
        try:
            yield
        finally:
            for service in (self._catalog, self._cart, self._orders):
                await service.close()

    async def home(self, _: Request) -> Response:
        """GET /: the featured category."""
        return _passed_on(await self._catalog.call("GET", "/products", query={"category": FEATURED}))

    async def category(self, request: Request) -> Response:
        """GET /category/{name}: one category."""
        return _passed_on(await self._catalog.call("GET", "/products", query={"category": request.path_params["name"]}))

    async def product(self, request: Request) -> Response:
        """GET /product/{id}: one product."""
        return _passed_on(await self._catalog.call("GET", "/products/{id}", path={"id": number(request, "id")}))

    async def search(self, request: Request) -> Response:
        """GET /search?q=: what matches."""
        return _passed_on(await self._catalog.call("GET", "/search", query={"q": request.query_params.get("q", "")}))

    async def show_cart(self, request: Request) -> Response:
        """GET /cart?customer=: what is in the cart."""
        return _passed_on(
            await self._cart.call("GET", "/carts/{customer}", path={"customer": number(request, "customer")})
        )

    async def add_to_cart(self, request: Request) -> Response:
        """POST /cart?customer=: put something into it."""
        customer = number(request, "customer")
        return _passed_on(
            await self._cart.call(
                "POST", "/carts/{customer}/lines", path={"customer": customer}, body=await request.json()
            )
        )

    async def checkout(self, request: Request) -> Response:
        """POST /checkout?customer=: order and pay what is in the cart, then empty it."""
        customer = number(request, "customer")
        payer = await request.json()
        lines = (await self._cart.call("GET", "/carts/{customer}", path={"customer": customer})).json()
        if not lines:
            raise HTTPException(409, f"the cart of customer {customer} is empty")
        order = {"customer": customer, "lines": lines, "card": payer.get("card", ""), "email": payer.get("email", "")}
        placed = await self._orders.call("POST", "/orders", body=order)
        if placed.status_code < 300:
            await self._cart.call("DELETE", "/carts/{customer}", path={"customer": customer})
        log.info("checkout of customer %d (%s): %d", customer, order["email"], placed.status_code)
        return _passed_on(placed)

    async def history(self, request: Request) -> Response:
        """GET /orders?customer=: past orders."""
        return _passed_on(
            await self._orders.call("GET", "/orders", query={"customer": str(number(request, "customer"))})
        )


def build(config: ServiceConfiguration) -> Starlette:
    """Return the storefront's application."""
    storefront = Storefront(config)
    return application(
        config,
        operations=(
            Operation("GET", "/", storefront.home),
            Operation("GET", "/category/{name}", storefront.category),
            Operation("GET", "/product/{id}", storefront.product),
            Operation("GET", "/search", storefront.search),
            Operation("GET", "/cart", storefront.show_cart),
            Operation("POST", "/cart", storefront.add_to_cart),
            Operation("POST", "/checkout", storefront.checkout),
            Operation("GET", "/orders", storefront.history),
        ),
        resources=storefront.resources(),
    )
