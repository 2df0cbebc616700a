"""`python -m tests.servers mysql`: start a server, say where it is, and wait to be interrupted."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from tests.servers import mysql, postgres
from tests.servers.cache import Unavailable


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("product", choices=["postgres", *mysql.PRODUCTS])
    parser.add_argument("version", type=int, nargs="?", default=18, help="major version of PostgreSQL (18)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="say where it is as one line of JSON")
    arguments = parser.parse_args()
    settings = tuple((name, value) for name, _, value in (each.partition("=") for each in arguments.set))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where it is started in the background
    try:
        said = _started(arguments.product, arguments.version, settings)
    except Unavailable as reason:
        print(f"{arguments.product}: {reason}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(said), flush=True)
    else:
        for name, value in said.items():
            print(f"{name:<12}{value}")
        print("Ctrl-C stops it.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


def _started(product: str, version: int, settings: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    """Start a server; return where it is and how its programs are run."""
    if product == "postgres":
        found = postgres.start(version, settings)
        environment = dict(found.programs.environment)
        return {
            "url": found.url,
            "programs": str(found.bin),
            "environment": environment,
            "log": str(found.log),
        }
    server = mysql.start(product, settings)
    programs = server.programs
    return {
        "url": server.url,
        "client": [*programs.client, *server.flags()],
        "dump": [*programs.dump, *server.flags()],
        "log": str(server.log),
    }


sys.exit(main())
