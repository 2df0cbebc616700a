"""Tables, which are too much for one module."""
