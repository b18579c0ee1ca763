"""`python -m sandbox.mailbox --port 8025`."""

from __future__ import annotations

import argparse
from pathlib import Path

from sandbox.mailbox.app import create_app
from sandbox.mailbox.news import News, key_in
from sandbox.serving import serve


def main() -> None:
    """Runs the mailbox until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8025, help="port on 127.0.0.1")
    parser.add_argument("--file", type=Path, help="keep letters in this file across restarts")
    parser.add_argument("--webhook-url", help="tell this address what became of each mail")
    parser.add_argument("--webhook-key", type=Path, help="file of the key that signs it; made if missing")
    arguments = parser.parse_args()
    key = key_in(arguments.webhook_key) if arguments.webhook_key else None
    news = News(arguments.webhook_url, key)
    serve(create_app(arguments.file, news=news), port=arguments.port)


if __name__ == "__main__":
    main()
