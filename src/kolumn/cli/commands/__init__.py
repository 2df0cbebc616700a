"""One module per command: `configure` declares its arguments, `run` carries it out."""
