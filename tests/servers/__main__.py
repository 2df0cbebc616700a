"""`python -m tests.servers postgres 18`: start a server, say where it is, and wait to be interrupted."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from tests.servers import postgres
from tests.servers.cache import Unavailable


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("product", choices=["postgres"])
    parser.add_argument("version", type=int, nargs="?", default=18, help="major version (18)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = postgres.start(arguments.version)
    except Unavailable as reason:
        print(f"PostgreSQL {arguments.version}: {reason}", file=sys.stderr)
        return 1
    print(f"url       {server.url}")
    print(f"programs  {server.bin}")
    for name, value in server.programs.environment.items():
        print(f"          {name}={value}")
    print(f"log       {server.log}\nCtrl-C stops it.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


sys.exit(main())
