"""Fixtures that every test may use."""

pytest_plugins = ["fakes", "support.databases", "support.processes", "support.mailroom"]
