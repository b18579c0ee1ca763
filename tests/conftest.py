"""Fixtures that every test may use."""

import gc

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the rule.
settings.register_profile("relance", deadline=None)
settings.load_profile("relance")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let full collections pass over what is loaded for good.

    Looking through it takes seconds on a busy machine, which in a workflow's task is a deadlock to Temporal.
    """
    del session
    gc.collect()
    gc.freeze()


# A module that another one imports comes before it, or pytest cannot rewrite its assertions.
pytest_plugins = [
    "fakes",
    "support.databases",
    "support.processes",
    "support.life",
    "support.servers",
    "support.mailroom",
    "support.worlds",
    "support.api",
    "support.portal",
    "support.browser",
    "support.terminal",
]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what was left out for want of a browser."""
    from support.browser import LEFT_OUT

    skipped = terminalreporter.stats.get("skipped", [])
    if any(LEFT_OUT in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(LEFT_OUT)
