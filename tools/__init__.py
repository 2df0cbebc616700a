"""What is run by hand, from the root of the repository: `python -m tools.NAME`."""
