"""Payments: charges a card at the provider, once per order, and remembers the outcome."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from demo.shop.calling import Downstream
from demo.shop.configuration import ServiceConfiguration
from demo.shop.serving import Operation, application
from demo.shop.storage import Database, run

VERSION = "5.0.3"
POOL_SIZE = 5

log = logging.getLogger("shop.payments")


class Payments:
    """The handlers, and what they share."""

    def __init__(self, config: ServiceConfiguration) -> None:
        self._database = Database(config, pool_size=POOL_SIZE, wait_seconds=2)
        self._provider = Downstream("card-provider", config.peers["card-provider"], timeout_seconds=3)
        self._forgets_connections = False

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[None]:
        """Open the pool; close it and the connections at the end."""
        await self._database.pool.open(wait=True, timeout=20)
        try:
            yield
        finally:
            await self._provider.close()
            await self._database.pool.close(timeout=2)

    async def charge(self, request: Request) -> Response:
        """POST /charges: charge the card for an order; 402 when the provider declines."""
        charge = await request.json()
        order, amount = int(charge["order"]), int(charge["amount_cents"])
        await self._database.fetch(
            "INSERT payments",
            "INSERT INTO payments VALUES (%s, 'pending', %s) ON CONFLICT (order_id) DO NOTHING",
            (order, amount),
        )
        answer = await self._provider.call("POST", "/authorize", body={"card": charge["card"], "amount_cents": amount})
        if answer.status_code >= 300:
            await self._decline(order)
            log.warning("card %s of %s declined for order %d", charge["card"], charge["email"], order)
            raise HTTPException(402, "the card was declined")
        await self._database.fetch(
            "UPDATE payments", "UPDATE payments SET state = 'charged', changed_at = now() WHERE order_id = %s", (order,)
        )
        log.info("charged %.2f EUR to card %s of %s for order %d", amount / 100, charge["card"], charge["email"], order)
        return JSONResponse({"order": order}, status_code=201)

    async def _decline(self, order: int) -> None:
        """Keep that the card was declined. The fault "leaked-connection-pool" forgets to give the connection back here."""
        connection = await self._database.take()
        await run(
            connection,
            "UPDATE payments",
            "UPDATE payments SET state = 'declined', changed_at = now() WHERE order_id = %s",
            (order,),
        )
        await connection.commit()
        if self._forgets_connections:
            return
        await self._database.pool.putconn(connection)

    async def forget_connections(self, on: bool) -> None:
        """Fault "leaked-connection-pool": every declined card costs the pool one connection."""
        self._forgets_connections = on


def build(config: ServiceConfiguration) -> Starlette:
    """Return the payments' application."""
    payments = Payments(config)
    return application(
        config,
        operations=(Operation("POST", "/charges", payments.charge),),
        faults={"leaked-connection-pool": payments.forget_connections},
        resources=payments.resources(),
    )
