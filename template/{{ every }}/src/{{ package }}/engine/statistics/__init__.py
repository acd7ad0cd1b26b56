"""Metrics with intervals, and tests that compare."""
