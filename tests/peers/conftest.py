"""Cases that other projects wrote, beside the project in `../shared/peers` or where KOLUMN_PEERS says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def peers() -> Path:
    """The folder with `evolve.py`, `sqldef/` and `databases/`."""
    if given := os.environ.get("KOLUMN_PEERS"):
        places = [Path(given)]
    else:
        places = [folder / "shared" / "peers" for folder in Path(__file__).resolve().parents]
    for place in places:
        if (place / "evolve.py").is_file():
            return place
    pytest.skip(
        f"the cases of other projects are not here ({places[0]}, ...); KOLUMN_PEERS can name their folder"
    )
