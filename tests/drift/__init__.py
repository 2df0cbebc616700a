"""Drift injected by hand: every attribute of every resource type, by SQL that knows nothing of Kolumn."""
