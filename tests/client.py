"""A provider as a stranger sees it: four methods, JSON bytes in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import CATEGORIES, KolumnError
from kolumn.contract.provider import Provider


class Client:
    """One provider under test. Answers are plain JSON data, read with the standard library."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def configure(self, settings: Mapping[str, Any], context: Context | None = None) -> Client:
        self.provider.configure(context or Context.background(), settings)
        return self

    def refused_settings(self, settings: Mapping[str, Any]) -> KolumnError:
        """Return the error that Configure must end with."""
        with pytest.raises(KolumnError) as caught:
            self.configure(settings)
        return caught.value

    def send(self, function: str, data: bytes, context: Context | None = None) -> bytes:
        return self.provider.call_function(context or Context.background().with_timeout(60), function, data)

    def call(
        self, function: str, request: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> Any:
        """Return the answer; a response that says `success: false` is returned as well."""
        return json.loads(self.send(function, json.dumps(request or {}).encode(), context))

    def done(self, function: str, request: Mapping[str, Any] | None = None) -> Any:
        """Return the answer, which must say that it succeeded."""
        answer = self.call(function, request)
        assert answer["success"] is True, answer
        assert "error" not in answer
        return answer

    def refused(
        self, function: str, request: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> KolumnError:
        """Return the error a call must end with."""
        with pytest.raises(KolumnError) as caught:
            self.call(function, request, context=context)
        error = caught.value
        assert type(error) in CATEGORIES.values()
        assert error.message
        assert error.code not in ("", "internal_error"), error
        json.dumps(error.details)
        return error

    def plan(self, *resources: Mapping[str, Any], **options: Any) -> Any:
        return self.done("Plan", _request(resources, options))

    def apply(self, *resources: Mapping[str, Any], **options: Any) -> Any:
        return self.done("Apply", _request(resources, options))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.provider.close()


def _request(resources: tuple[Mapping[str, Any], ...], options: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": list(resources), **({"options": dict(options)} if options else {})}


def wanted(
    resource_type: str, name: str, config: Mapping[str, Any], action: str = "create", **more: Any
) -> Any:
    """Return one entry of a Plan or Apply request."""
    return {"resource_type": resource_type, "name": name, "config": dict(config), "action": action, **more}
