"""What of the host's environment a provider's process gets to see: no credentials, so only names known to hold none.

Credentials go through Configure. `${NAME}` in a provider block is therefore put in by the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kolumn.contract.masking import is_secret_name, mask

PASSED: Final = "KOLUMN_PROVIDER_ENV"
"""Names of further variables to pass on, separated by commas."""

_NAMES: Final = frozenset(
    (
        *(
            "PATH",
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "LANG",
            "LANGUAGE",
            "TZ",
            "TZDIR",
            "TMPDIR",
            "TEMP",
            "TMP",
        ),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "NO_COLOR", "TERM"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"),
        *(
            "SYSTEMROOT",
            "WINDIR",
            "COMSPEC",
            "PATHEXT",
            "APPDATA",
            "LOCALAPPDATA",
            "PROGRAMDATA",
            "USERPROFILE",
        ),
        *("KRB5CCNAME", "KRB5_CONFIG", "ODBCSYSINI", "ODBCINI", "JAVA_HOME"),
    )
)
_PREFIXES: Final = ("LC_", "PYTHON", "XDG_", "PG", "COVERAGE_")
_EXCEPT: Final = frozenset(("PGPASSWORD",))


def visible(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a provider gets: paths, language, libpq's settings without its password, what PASSED names.

    Nothing whose name or value looks like a secret, unless it is named there.
    """
    wanted = {name.strip() for name in environment.get(PASSED, "").split(",")} - {""}
    return {name: value for name, value in environment.items() if name in wanted or _is_harmless(name, value)}


def _is_harmless(name: str, value: str) -> bool:
    known = name in _NAMES or (name.startswith(_PREFIXES) and name not in _EXCEPT)
    return known and not is_secret_name(name) and mask(value) == value
