"""One module per resource type: model, catalogue rows and SQL side by side."""
