"""Writes the Python code of the protocol in src/kolumn/rpc/wire from the .proto files there.

    python -m tools.rpc_code           write it (needs the package grpcio-tools)
    python -m tools.rpc_code --check   exit 1 if it is not up to date

The generated code is checked in: installing Kolumn needs no compiler. It says itself which runtime it needs;
grpcio-tools is therefore the oldest version whose code fits every runtime that pyproject.toml allows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "src"
WIRE = Path("kolumn", "rpc", "wire")


def generate(into: Path) -> None:
    """Compile every .proto file; the code has the folders of the package below `into`."""
    protos = sorted(str(path.relative_to(SOURCES)) for path in (SOURCES / WIRE).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={SOURCES}"]
    command += [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpclib_python")]
    subprocess.run([*command, *protos], check=True)  # noqa: S603 - our own files


def stale() -> list[str]:
    """Return the names of generated files that are not what the .proto files say."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        made = {path.name: path.read_bytes() for path in (Path(folder) / WIRE).iterdir()}
    kept = {
        path.name: path.read_bytes()
        for pattern in ("*_pb2.py", "*_pb2.pyi", "*_grpc.py")
        for path in (SOURCES / WIRE).glob(pattern)
    }
    return sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))


def main() -> int:
    """Write or check the code; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.rpc_code", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    if not parser.parse_args().check:
        generate(SOURCES)
        return 0
    if found := stale():
        sys.stderr.write(f"Not up to date: {', '.join(found)}; run `make wire`\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
