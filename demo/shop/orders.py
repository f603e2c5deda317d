"""Orders: takes an order, prices it, has it paid, and shows a customer's history."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from demo.shop import schema
from demo.shop.calling import Downstream
from demo.shop.configuration import ServiceConfiguration
from demo.shop.serving import Operation, application, number
from demo.shop.storage import Database, run

VERSION = "3.2.0"
MOST_ORDERS_AN_HOUR = 500

log = logging.getLogger("shop.orders")


class Orders:
    """The handlers, and what they share."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._database = Database(config, pool_size=6, wait_seconds=4)
        self._catalog = Downstream("catalog", config.peers["catalog"], timeout_seconds=4)
        self._payments = Downstream("payments", config.peers["payments"], timeout_seconds=6)

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[None]:
        """Open the pool; close it and the connections at the end."""
        await self._database.pool.open(wait=True, timeout=20)
        try:
            yield
        finally:
            await self._catalog.close()
            await self._payments.close()
            await self._database.pool.close()

    async def place(self, request: Request) -> Response:
        """POST /orders: check the customer's recent orders, price the lines, keep the order and have it paid."""
        order = await request.json()
        customer, lines = int(order["customer"]), {int(product): int(n) for product, n in order["lines"].items()}
        recent = await self._database.fetch(
            "SELECT orders",
            "SELECT count(*) AS orders FROM orders WHERE customer_id = %s AND placed_at > now() - interval '1 hour'",
            (customer,),
        )
        if recent[0]["orders"] > MOST_ORDERS_AN_HOUR:
            raise HTTPException(429, f"customer {customer} placed {recent[0]['orders']} orders in an hour")
        prices = (await self._catalog.call("POST", "/prices", body={"products": list(lines)})).json()
        total = sum(prices.get(str(product), 0) * quantity for product, quantity in lines.items())
        kept = await self._database.fetch(
            "INSERT orders",
            "INSERT INTO orders (customer_id, placed_at, status, total_cents, lines) VALUES (%s, now(), 'new', %s, %s) RETURNING id",
            (customer, total, json.dumps(lines)),
        )
        number_of_order = kept[0]["id"]
        paid = await self._payments.call(
            "POST",
            "/charges",
            body={"order": number_of_order, "amount_cents": total, "card": order["card"], "email": order["email"]},
        )
        status = "paid" if paid.status_code < 300 else "declined"
        await self._database.fetch(
            "UPDATE orders", "UPDATE orders SET status = %s WHERE id = %s", (status, number_of_order)
        )
        log.info(
            "order %d of customer %d: %d products, %.2f EUR, %s",
            number_of_order,
            customer,
            len(lines),
            total / 100,
            status,
        )
        if status == "declined":
            raise HTTPException(402, "the card was declined")
        return JSONResponse({"order": number_of_order, "total_cents": total}, status_code=201)

    async def history(self, request: Request) -> Response:
        """GET /orders?customer=: the customer's last ten orders."""
        rows = await self._database.fetch(
            "SELECT orders",
            "SELECT id, status, total_cents FROM orders WHERE customer_id = %s ORDER BY placed_at DESC LIMIT 10",
            (number(request, "customer"),),
        )
        return JSONResponse(rows)

    async def lose_index(self, on: bool) -> None:
        """Fault "missing-index": a migration drops the index that finds a customer's orders."""
        async with self._database.connection() as connection:
            await run(connection, "ALTER orders", schema.DROP_CUSTOMER_INDEX if on else schema.CREATE_CUSTOMER_INDEX)
        log.info("migration %s applied", "0042_orders_partitioning" if on else "0041_orders_customer_placed_at")


def build(config: ServiceConfiguration) -> Starlette:
    """Return the orders' application."""
    orders = Orders(config)
    return application(
        config,
        operations=(Operation("POST", "/orders", orders.place), Operation("GET", "/orders", orders.history)),
        faults={"missing-index": orders.lose_index},
        resources=orders.resources(),
    )
