"""Who runs this process, and where: for locks, history and the audit trail."""

from __future__ import annotations

import os


def user() -> str:
    """Return the user's login name, or the numeric id where there is no name."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return os.environ.get("USER", "") or str(getattr(os, "getuid", lambda: "")())


def host() -> str:
    """Return this machine's name."""
    return os.uname().nodename


def user_at_host() -> str:
    """Return `user@host`."""
    return f"{user()}@{host()}"
