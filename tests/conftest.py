"""Settings all tests share."""

import os

from hypothesis import HealthCheck, settings

# Quicker, and what depends on where providers run is tested in tests/rpc and by the targets `*-rpc`.
os.environ["KOLUMN_IN_PROCESS"] = "1"

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
