"""Ten thousand invoices from eight processes at once: numbers without gap or repeat, dates that never go back (I4)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import groupby
from multiprocessing.process import BaseProcess
from operator import itemgetter
from typing import Any

import pytest
from sqlalchemy import text
from support import factories
from support.databases import TEMPLATE, Postgres
from support.numbering_crew import TOGETHER, Share, work

from models.database import Database

PROCESSES = 8
INVOICES = 10_000
DIES_AT = {1: 40, 2: 81, 5: 120, 6: 163}
"""Processes that are killed, each at its turn, after they took a number and before they committed it."""
KILLED_AFTER = {0: 3_000, 7: 6_000}
"""Processes that are killed from outside, wherever they are, when so many invoices are there."""


@pytest.fixture
async def books(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Database, str]]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with postgres.fresh(TEMPLATE) as url:
        database = Database(url)
        yield database, url
        await database.close()


async def look(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.engine.connect() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]


async def shares(database: Database, url: str) -> list[Share]:
    """Each process bills two sellers, each in real life and on a test clock."""
    sellers, clock = [factories.entity(), factories.entity(timezone="Asia/Tokyo")], factories.clock()
    given: defaultdict[int, list[str]] = defaultdict(list)
    for member in range(PROCESSES):
        for seller in sellers:
            for lives_on in (None, clock):
                async with database.write() as session:
                    someone = await factories.someone(session, seller=seller, clock=lives_on)
                given[member].append(someone.subscription.id)
    return [
        Share(member, url, tuple(subscriptions), INVOICES // PROCESSES // TOGETHER, DIES_AT.get(member))
        for member, subscriptions in given.items()
    ]


def start(share: Share) -> BaseProcess:
    """A process of its own, from one that has imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    process = context.Process(target=work, args=(share,))
    process.start()
    return process


async def storm(database: Database, given: list[Share]) -> int:
    """Let all of them work until each share is done; who is killed gets a successor.

    Returns:
        How many were killed.
    """
    running = {share: start(share) for share in given}
    killed, to_kill = 0, dict(KILLED_AFTER)
    try:
        while running:
            await asyncio.sleep(0.5)
            there = await watch(database)
            for share, process in list(running.items()):
                if there >= to_kill.get(share.member, INVOICES + 1):
                    process.kill()
                    process.join()
                    del to_kill[share.member]
                if process.is_alive():
                    continue
                del running[share]
                if process.exitcode:
                    assert process.exitcode == -signal.SIGKILL
                    killed += 1
                    successor = share.for_a_successor()
                    running[successor] = start(successor)
    finally:
        for process in running.values():
            process.kill()
    return killed


async def watch(database: Database) -> int:
    """How many invoices there are. At any moment, the numbers that can be seen have no gap."""
    seen = await look(
        database,
        "SELECT series, count(*), count(DISTINCT number), max(right(number, 6)::int) "
        "FROM invoice WHERE number IS NOT NULL GROUP BY entity_id, series",
    )
    assert all(there == different == highest for _, there, different, highest in seen), seen
    return sum(there for _, there, _, _ in seen)


@pytest.mark.timeout(600)
async def test_ten_thousand_invoices_from_eight_processes_of_which_six_are_killed(
    books: tuple[Database, str],
) -> None:
    database, url = books
    assert await storm(database, await shares(database, url)) == len(DIES_AT) + len(KILLED_AFTER)
    await assert_numbers_and_dates_only_go_up(database)
    await assert_drafts_have_no_number(database)
    await assert_each_document_is_booked_once(database)


async def assert_numbers_and_dates_only_go_up(database: Database) -> None:
    documents = await look(
        database,
        "SELECT entity_id, series, number, issued_on FROM invoice WHERE number IS NOT NULL "
        "UNION ALL SELECT entity_id, series, number, issued_on FROM credit_note ORDER BY 1, 2, 3",
    )
    counters = {
        (entity, series): last
        for entity, series, last in await look(
            database, "SELECT entity_id, series, last_number FROM number_series"
        )
    }
    assert len(counters) == 8  # two sellers, in real life and on a clock, invoices and credit notes
    for (entity, series), grouped in groupby(documents, key=itemgetter(0, 1)):
        _, _, numbers, dates = zip(*grouped, strict=True)
        last = counters.pop((entity, series))
        assert numbers == tuple(f"{series}-{n:06d}" for n in range(1, last + 1))
        assert dates == tuple(sorted(dates))
        assert len(set(dates)) > 5
    assert counters == {}


async def assert_drafts_have_no_number(database: Database) -> None:
    counted = await look(
        database, "SELECT status, count(*), count(number), count(issued_on) FROM invoice GROUP BY status"
    )
    by_status = {status: counts for status, *counts in counted}
    assert by_status.pop("draft") == [10 * PROCESSES, 0, 0]
    assert sum(numbers for _, numbers, _ in by_status.values()) == INVOICES


async def assert_each_document_is_booked_once(database: Database) -> None:
    booked = await look(
        database, "SELECT kind, count(DISTINCT entry), sum(amount_minor) FROM journal_line GROUP BY kind"
    )
    ((credit_notes,),) = await look(database, "SELECT count(*) FROM credit_note")
    assert set(booked) == {("invoice", INVOICES, 0), ("credit_note", credit_notes, 0)}
    assert credit_notes > 200
    odd = await look(
        database,
        "SELECT entry FROM journal_line GROUP BY entry HAVING sum(amount_minor) <> 0 OR count(*) <> 3",
    )
    assert odd == []
