"""One project: its providers, its state, its locks and its outputs."""
