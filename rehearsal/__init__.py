"""Rehearsal: dunning policies played over a population that exists on paper only. Pure, no database, no account.

The population is drawn from a data file, `population.toml`; the decisions are those of `billing`, the same functions
that run in production. Presets are calibrated to published figures, not validated: docs/rehearsal.md.
"""
