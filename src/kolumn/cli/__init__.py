"""The `kolumn` command: arguments in, rendering out, no decisions."""
