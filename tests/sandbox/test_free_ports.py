"""The ports that a sandbox chooses by itself."""

from __future__ import annotations

from dataclasses import astuple

from sandbox.ports import free_ports


def test_they_are_different_and_none_that_an_outgoing_connection_may_take_first() -> None:
    """Linux gives those from 32768 on to outgoing connections, macOS and Windows from 49152 on."""
    chosen = astuple(free_ports())
    assert len(set(chosen)) == 5
    assert max(chosen) < 32_768
    assert min(chosen) > 1_024
