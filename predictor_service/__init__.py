"""Pixel batches in, predictions out."""
