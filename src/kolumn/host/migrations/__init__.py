"""Migrations as numbered files: written from plans, run in order, compared with what the database remembers."""
