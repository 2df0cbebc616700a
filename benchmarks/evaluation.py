"""Load the configuration of a folder, nothing else: `python evaluation.py anew|cached FOLDER`.

Prints how many resources it found.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kolumn.config import load_project


def main(how: str, folder: Path) -> None:
    """Parse and evaluate, or read what is kept."""
    _, project = load_project(folder, cache=how == "cached")
    sys.stdout.write(f"{len(project.resources)}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
