"""Functions that read files and environment; all of them make an evaluation impure."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import MAP, TEXT, CallContext, check_size, function
from kolumn.config.values import MAX_TEXT

_MAX_TEMPLATE_DEPTH = 10


def _read(context: CallContext, name: str) -> bytes:
    context.impure.add("file")
    path = _path(context, name)
    try:
        if path.is_file() and path.stat().st_size > MAX_TEXT:
            raise Fault("This file is too big.", code="too_big")
        if not path.is_file():
            raise FileNotFoundError(2, "No such file")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise Fault(
            f"{name[:200]} cannot be read: {reason}.", hint=f"It was looked for in {path.parent}."
        ) from None


def _path(context: CallContext, name: str) -> Path:
    try:
        return context.folder / Path(name).expanduser()
    except (ValueError, RuntimeError):
        raise Fault("This is not a file name.", code="bad_path") from None


def _text(context: CallContext, name: str) -> str:
    try:
        return _read(context, name).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Fault(
            f"{name[:200]} is not UTF-8 text.", hint="Use filebase64().", code="bad_encoding"
        ) from None


@function(TEXT, with_context=True)
def file(context: CallContext, name: str) -> str:
    """Return the text of a file; a relative name starts at the module's folder."""
    return _text(context, name)


@function(TEXT, with_context=True)
def fileexists(context: CallContext, name: str) -> bool:
    """Tell whether there is such a file."""
    context.impure.add("fileexists")
    try:
        return _path(context, name).is_file()
    except (OSError, ValueError):
        return False


@function(TEXT, TEXT, with_context=True)
def fileset(context: CallContext, folder: str, pattern: str) -> list[str]:
    """Return the files below `folder` that match a glob pattern, sorted."""
    context.impure.add("fileset")
    root = _path(context, folder)
    found: list[str] = []
    try:
        for path in root.glob(pattern):
            if path.is_file():
                found.append(path.relative_to(root).as_posix())
                check_size(found)
    except (OSError, ValueError, NotImplementedError, IndexError):
        raise Fault("fileset(): this is not a pattern of file names.", code="bad_path") from None
    return sorted(found)


@function(TEXT, with_context=True)
def filebase64(context: CallContext, name: str) -> str:
    """Return the bytes of a file as Base64."""
    return base64.b64encode(_read(context, name)).decode("ascii")


@function(TEXT, MAP, with_context=True)
def templatefile(context: CallContext, name: str, variables: dict[str, Any]) -> Any:
    """Render a file as a template with the given variables."""
    text = _text(context, name)
    if context.depth >= _MAX_TEMPLATE_DEPTH:
        raise Fault("Template files call each other too deeply.", code="too_deep")
    context.depth += 1
    try:
        return context.render(name, text, variables, context)
    finally:
        context.depth -= 1


@function(TEXT, with_context=True)
def abspath(context: CallContext, name: str) -> str:
    """Return the name as an absolute one."""
    context.impure.add("abspath")
    return os.path.abspath(_path(context, name))  # noqa: PTH100 - resolves .. without touching links


@function(TEXT)
def basename(name: str) -> str:
    """Return the last part of a path."""
    return os.path.basename(name)  # noqa: PTH119 - pure text, as HCL has it


@function(TEXT)
def dirname(name: str) -> str:
    """Return a path without its last part."""
    return os.path.dirname(name) or "."  # noqa: PTH120 - pure text, as HCL has it


@function(TEXT, with_context=True)
def pathexpand(context: CallContext, name: str) -> str:
    """Replace a leading ~ by the home folder."""
    context.impure.add("pathexpand")
    return os.path.expanduser(name)  # noqa: PTH111 - pure text, as HCL has it


@function(TEXT, TEXT, optional=1, with_context=True)
def env(context: CallContext, name: str, *default: str) -> str:
    """Return an environment variable, or the default."""
    context.impure.add("env")
    if name in context.environ:
        return context.environ[name]
    if default:
        return default[0]
    raise Fault(f"The environment variable {name[:100]} is not set.", hint="Set it, or give env() a default.")
