"""Predictions become rows: the only writer of the database, and the reading side for everybody else."""
