"""The functions of the language, one module per family."""

from kolumn.config.functions import (
    collections,
    conversions,
    dates,
    digests,
    encodings,
    files,
    numbers,
    strings,
)
from kolumn.config.functions.registry import FUNCTIONS, CallContext, call

FAMILIES = (numbers, strings, collections, conversions, encodings, files, digests, dates)

__all__ = ["FAMILIES", "FUNCTIONS", "CallContext", "call"]
