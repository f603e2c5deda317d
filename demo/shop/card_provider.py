"""A stand-in for the card company: somebody else's service, so it reports no telemetry and is only seen from outside."""

import asyncio
import random

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.shop import serving
from demo.shop.configuration import ServiceConfiguration

VERSION = "1"
DECLINED_CARD = "4000000000000002"  # test numbers, as the card companies publish them
USUAL_SECONDS = (0.03, 0.07)
SLOW_SECONDS = (1.9, 3.3)


class CardProvider:
    """Authorizes every card but one, after a moment."""

    def __init__(self) -> None:
        self._seconds = USUAL_SECONDS
        self._random = random.Random(7)  # noqa: S311 - a delay, not a secret

    async def authorize(self, request: Request) -> Response:
        """POST /authorize: 200, or 402 for the card that is always declined."""
        card = (await request.json())["card"]
        await asyncio.sleep(self._random.uniform(*self._seconds))
        return JSONResponse({"approved": card != DECLINED_CARD}, status_code=402 if card == DECLINED_CARD else 200)

    async def answer_slowly(self, on: bool) -> None:
        """Fault "slow-downstream": answers take seconds, some longer than payments wait."""
        self._seconds = SLOW_SECONDS if on else USUAL_SECONDS


def build(config: ServiceConfiguration) -> Starlette:
    """Return the card provider's application, without telemetry."""
    provider = CardProvider()
    application = serving.application(config, operations=(), faults={"slow-downstream": provider.answer_slowly})
    application.router.routes.append(Route("/authorize", provider.authorize, methods=["POST"]))
    return application
