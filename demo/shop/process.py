"""One service process: `python -m demo.shop.process`, told what to be by one JSON line on its standard input.

It ends when that input ends, so it cannot outlive whoever started it, however that one dies.
"""

import logging
import sys
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from demo.shop import card_provider, cart, catalog, orders, payments, storefront, telemetry
from demo.shop.configuration import ServiceConfiguration

BUILDERS: dict[str, Callable[[ServiceConfiguration], Starlette]] = {
    "storefront": storefront.build,
    "catalog": catalog.build,
    "cart": cart.build,
    "orders": orders.build,
    "payments": payments.build,
    "card-provider": card_provider.build,
}


def serve(config: ServiceConfiguration) -> None:
    """Serve the configured service on loopback until standard input ends."""
    providers = telemetry.start(config)
    # An error of a handler is logged where it happens, with its trace; uvicorn would say it again without one.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = uvicorn.Server(
        uvicorn.Config(
            BUILDERS[config.service](config),
            host="127.0.0.1",
            port=config.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )
    )

    def end_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        server.run()
    finally:
        providers.close()


if __name__ == "__main__":
    serve(ServiceConfiguration.from_line(sys.stdin.readline()))
