"""Backups: what a step destroys, in files that are verified before the step runs."""
