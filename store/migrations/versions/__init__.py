"""One file per revision. A revision that has been released never changes."""
