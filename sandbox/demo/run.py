"""The demo from beginning to end, inside a sandbox that runs."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from billing.errors import RelanceError
from sandbox.demo import summary
from sandbox.demo.catalogue import Catalogue, load
from sandbox.demo.checking import check
from sandbox.demo.fakes import Fakes
from sandbox.demo.life import Life, begins_at, ends_at
from sandbox.demo.people import Cast
from sandbox.demo.telling import Telling
from sandbox.problems import SandboxProblem
from sandbox.supervisor import Sandbox
from settings import load_settings
from starter.client import RelanceClient

PIPED_WIDTH: Final = 140
DOCUMENTS: Final = Path(".demo/invoices")
"""In the folder where the demo is started; what an earlier demo left there is removed."""
BREATH_SECONDS: Final = 0.2
"""After Temporal was met: without it the interpreter can crash at exit, its work done."""


async def perform(sandbox: Sandbox, catalogue: Catalogue, cast: Cast) -> bool:
    """Lives the year and checks the books.

    Returns:
        Whether the books agree with the fake Stripe's ledger.

    Raises:
        SandboxProblem: it could not be lived to its end; says why.
    """
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    settings = load_settings(sandbox.folder, environ=sandbox.variables)
    try:
        async with RelanceClient.open(settings) as relance, httpx.AsyncClient(trust_env=False) as http:
            fakes = Fakes(http, sandbox.addresses, key=sandbox.variables["STRIPE_API_KEY"])
            return await _perform(console, relance, fakes, catalogue, cast)
    except RelanceError as problem:
        raise SandboxProblem(f"The demo stopped: {problem.message}") from problem
    finally:
        await asyncio.sleep(BREATH_SECONDS)


async def _perform(
    console: Console, relance: RelanceClient, fakes: Fakes, catalogue: Catalogue, cast: Cast
) -> bool:
    begins, ends = begins_at(cast), ends_at(cast)
    await load(catalogue, relance)
    clock = await relance.create_clock("demo", begins)
    async with Telling(relance, console, begins=begins, ends=ends) as telling:
        life = Life(cast, relance, fakes, telling, clock_id=clock.id)
        await life.live()
    stories = await summary.read_stories(relance, life.customers)
    accounts = await relance.accounts(clock.id)
    verdict = check(
        accounts,
        await fakes.ledger(),
        await fakes.letters(),
        mails_sent=sum(story.mails_sent for story in stories),
        names={customer.customer_id: customer.person.name for customer in life.customers},
    )
    kept = await _keep_documents(relance, life, clock.id)
    console.print()
    summary.print_stories(console, stories, accounts)
    summary.print_totals(console, stories, accounts)
    for form, number in sorted(kept.items()):
        console.print(f"{number} invoices and credit notes are in {DOCUMENTS / form}.")
    summary.print_verdict(console, verdict)
    await summary.print_portals(console, relance, stories)
    await summary.print_signup(console, relance, leads_to=relance.connections.settings.sendgrid_api_base)
    return verdict.agrees


async def _keep_documents(relance: RelanceClient, life: Life, clock_id: str) -> Counter[str]:
    """Writes the documents of everybody with an address, and counts them by their form.

    Raises:
        SandboxProblem: one could not be written; says why.
    """
    if DOCUMENTS.exists():
        await asyncio.to_thread(shutil.rmtree, DOCUMENTS)
    kept: Counter[str] = Counter()
    for customer in life.customers:
        if customer.person.address is None:
            continue
        done = await relance.documents.export(DOCUMENTS, customer=customer.customer_id, clock=clock_id)
        if done.failed:
            raise SandboxProblem(f"A document could not be written: {done.failed[0]}")
        kept.update(Path(file).parts[0] for file in done.files)
    return kept
