"""Programs that write documents of this repository from its code."""
