"""`python -m tests.servers postgres 18`: start a server, say where it is, and wait to be interrupted."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys

from tests.servers import postgres
from tests.servers.cache import Unavailable


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("product", choices=["postgres"])
    parser.add_argument("version", type=int, nargs="?", default=18, help="major version (18)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="say where it is as one line of JSON")
    arguments = parser.parse_args()
    settings = tuple((name, value) for name, _, value in (each.partition("=") for each in arguments.set))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where it is started in the background
    try:
        server = postgres.start(arguments.version, settings)
    except Unavailable as reason:
        print(f"PostgreSQL {arguments.version}: {reason}", file=sys.stderr)
        return 1
    environment = dict(server.programs.environment)
    if arguments.json:
        said = {"url": server.url, "programs": str(server.bin), "environment": environment}
        print(json.dumps(said), flush=True)
    else:
        print(f"url       {server.url}")
        print(f"programs  {server.bin}")
        for name, value in environment.items():
            print(f"          {name}={value}")
        print(f"log       {server.log}\nCtrl-C stops it.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


sys.exit(main())
