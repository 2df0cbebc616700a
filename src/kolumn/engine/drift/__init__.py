"""Drift (spec 3.3.1): what the database has otherwise than the last apply left it."""
