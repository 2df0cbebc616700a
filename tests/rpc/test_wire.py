"""The code that is generated from the .proto files."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest
from tools.rpc_code import stale

from kolumn.rpc.wire import provider_pb2


def test_it_is_what_the_files_say() -> None:
    if find_spec("grpc_tools") is None or shutil.which("protoc-gen-grpclib_python") is None:
        pytest.skip("grpcio-tools is not installed (pip install 'kolumn[wire]')")
    assert stale() == [], "run `make wire`"


def test_the_service_has_the_four_methods() -> None:
    service = provider_pb2.DESCRIPTOR.services_by_name["Provider"]
    assert service.full_name == "kolumn.provider.v1.Provider"
    assert {"Configure", "Schema", "CallFunction", "Close"} <= {each.name for each in service.methods}
