"""`python -m sandbox.stripe`: the fake on a loopback port."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import check_url
from sandbox.stripe.server import CannotListen, bind, server
from sandbox.stripe.world import Options


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.stripe", description="A fake Stripe on this machine."
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=12111, help="port to listen on (%(default)s)")
    parser.add_argument("--db", type=Path, help="SQLite file to keep everything in; memory only without it")
    parser.add_argument("--webhook-url", help="send all events there, signed with --webhook-secret")
    parser.add_argument(
        "--webhook-secret", default=Options.webhook_secret, help="signing secret (%(default)s)"
    )
    parser.add_argument("--rate-limit", type=int, help="requests per second and endpoint before a 429")
    parser.add_argument(
        "--sepa-seconds", type=float, default=Options.sepa_seconds, help="a debit off test clocks"
    )
    parser.add_argument("--allow-remote", action="store_true", help="allow other machines, in and out")
    parser.add_argument("--log-level", default="warning", help="uvicorn's log level (%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; 2 when the address or the arguments are no good."""
    given = _arguments(arguments)
    options = Options(
        webhook_url=given.webhook_url,
        webhook_secret=given.webhook_secret,
        rate_limit=given.rate_limit,
        sepa_seconds=given.sepa_seconds,
        allow_remote=given.allow_remote,
    )
    try:
        if given.webhook_url:
            check_url(given.webhook_url, allow_remote=given.allow_remote)
        listener = bind(given.host, given.port, allow_remote=given.allow_remote)
    except (CannotListen, ApiError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"fake Stripe: http://{given.host}:{given.port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server(options, given.db, log_level=given.log_level).serve([listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
