"""The executable of every provider that is installed as a package: `kolumn-provider-NAME`.

`python -m kolumn.rpc NAME` is the same.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kolumn.rpc.server import serve

if TYPE_CHECKING:
    from kolumn.contract.provider import Provider

_PREFIX = "kolumn-provider-"


def main() -> NoReturn:
    """Serve the provider that the program is called after, or that its argument names."""
    called = Path(sys.argv[0]).name.removesuffix(".exe")
    name = called.removeprefix(_PREFIX) if called.startswith(_PREFIX) else " ".join(sys.argv[1:2])

    def load_provider() -> Provider:
        from kolumn.contract.installed import load

        return load(name)

    serve(load_provider)


if __name__ == "__main__":
    main()
