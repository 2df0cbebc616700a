"""Migrations: of one resource from one definition to another, and of scripts in numbered files."""
