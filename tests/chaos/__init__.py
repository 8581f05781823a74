"""The promise under fire: real processes, a real broker, real files, and whatever can go wrong."""
