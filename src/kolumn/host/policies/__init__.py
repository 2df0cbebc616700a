"""Policies: rules over a plan before it is carried out, built-in ones and those of the configuration."""
