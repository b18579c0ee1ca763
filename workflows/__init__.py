"""Decisions over time. Deterministic and thin."""
