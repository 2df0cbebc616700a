"""One project: its configuration, its providers in order, its state, locks, plans and outputs."""
