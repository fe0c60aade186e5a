"""Alembic's: every change of the tables since the first."""
