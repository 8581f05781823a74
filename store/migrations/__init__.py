"""Alembic's revisions, run by `store.upgrading` and never by hand; forward only."""
