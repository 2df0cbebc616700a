"""What a state remembers of a live object besides its digest: its configuration as the last apply left it.

What was asked for is in state already, and most of what is live says the same. So only the attributes that are
otherwise are kept: those the configuration leaves alone, and those the database words in its own way. Of types that
leave nothing alone nothing is kept: what was asked for, in the database's normal form, says it all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kolumn.contract.messages import ResourceInstance

LIVE = "live"
"""In the state of an instance: attributes that were otherwise live than asked for; None for absent ones."""
CONCEALED = "concealed"
"""In the state of an instance: keyed digests of live values that are never read, e.g. of a password.

None where they are not known, as after the host took over what it read.
"""


def remember(config: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to keep of the configuration `live` beside `config`, which is kept anyway."""
    keys = [*live, *(key for key in config if key not in live)]
    return {key: live.get(key) for key in keys if live.get(key) != config.get(key)}


def recall(instance: ResourceInstance) -> dict[str, Any] | None:
    """Return the live configuration at the last apply; None where nothing is kept beside what was asked for."""
    beside = instance.state.get(LIVE)
    if not isinstance(beside, Mapping):
        return None
    return {key: each for key, each in {**instance.config, **beside}.items() if each is not None}


def conceal(texts: Mapping[str, str], lineage: str) -> dict[str, str]:
    """Return keyed digests of what must not be kept itself, by attribute."""
    key = lineage.encode()[:64]
    return {
        name: hashlib.blake2b(text.encode(), digest_size=16, key=key).hexdigest()
        for name, text in texts.items()
        if text
    }
