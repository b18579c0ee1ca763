"""What a person may decide about a chase in each of its states, and why not: every cell typed in (U15 to U18)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession
from support import factories
from support.factories import NEW_YEAR, Someone

from activities.books.chasing import chase_of, open_collection
from activities.books.config import BookRules
from activities.books.correcting import UnderWay, begin_correction
from activities.books.steering import steer_chase
from activities.books.work import Work
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.asking import may_ask
from billing.corrections import WriteOff
from billing.errors import RelanceError
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.steering import Directive, Extend, Hold, Promise, Release, Skip
from models.database import Database
from models.tables import Collection, Invoice, InvoiceStatus, PaymentState, SubscriptionRow

NOW = datetime(2027, 1, 3, 11, tzinfo=UTC)
TAKEN = "taken"
BY_DRIVER = "taken by the driver"
NOTHING = "Nothing holds this chase."
UNDER_WAY = "A payment is under way. Wait for its outcome before you try again."
WAITS = "waits for the payment under way"
ENDED = "The dunning policy has ended on this invoice. Charge it now, credit it or write it off."
PROMISED = "A payment is promised for 2027-01-10 already. Release that promise first."
GATED = "This draft waits for its first payment; only its deadline ends it. Cancel it instead."
NOT_CHASED = "is not chased."
LEFT_OUT = "The next step can't be left out: "
ACTIONS: dict[str, Directive] = {
    "promise": Promise(command_id="c", on=date(2027, 1, 12)),
    "hold": Hold(command_id="c", until=date(2027, 1, 12)),
    "release": Release(command_id="c"),
    "skip": Skip(command_id="c"),
    "extend": Extend(command_id="c", end_on=date(2027, 2, 10)),
}

TABLE: dict[str, dict[str, str]] = {
    # The first charge was declined on 1 January; the next retry is on the 4th.
    "waiting": {
        "promise": TAKEN,
        "hold": TAKEN,
        "release": NOTHING,
        "skip": TAKEN,
        "extend": TAKEN,
        "retry": TAKEN,
        "write_off": TAKEN,
    },
    # What is decided holds if the payment fails.
    "processing": {
        "promise": TAKEN,
        "hold": TAKEN,
        "release": NOTHING,
        "skip": LEFT_OUT + "the payment is under way, the provider is asked if no news comes",
        "extend": TAKEN,
        "retry": UNDER_WAY,
        "write_off": WAITS,
    },
    "unknown": {
        "promise": TAKEN,
        "hold": TAKEN,
        "release": NOTHING,
        "skip": LEFT_OUT + "the answer is missing, the provider is asked what became of it",
        "extend": TAKEN,
        "retry": UNDER_WAY,
        "write_off": WAITS,
    },
    # The bank waits for the payer: nothing is charged, reminders go on; a retry closes it first.
    "action_required": {
        "promise": TAKEN,
        "hold": TAKEN,
        "release": NOTHING,
        "skip": TAKEN,
        "extend": TAKEN,
        "retry": TAKEN,
        "write_off": WAITS,
    },
    # An older invoice drives: it is the one that is steered, retried and written off is the one that is named.
    "joined": {
        "promise": BY_DRIVER,
        "hold": BY_DRIVER,
        "release": NOTHING,
        "skip": BY_DRIVER,
        "extend": BY_DRIVER,
        "retry": TAKEN,
        "write_off": TAKEN,
    },
    "promised": {
        "promise": PROMISED,
        "hold": PROMISED,
        "release": TAKEN,
        "skip": LEFT_OUT + "it is the promised payment; release the promise instead",
        "extend": TAKEN,
        "retry": TAKEN,
        "write_off": TAKEN,
    },
    # A promise takes the place of a pause, a later pause of an earlier one.
    "paused": {
        "promise": TAKEN,
        "hold": TAKEN,
        "release": TAKEN,
        "skip": TAKEN,
        "extend": TAKEN,
        "retry": TAKEN,
        "write_off": TAKEN,
    },
    "ended": {
        "promise": ENDED,
        "hold": ENDED,
        "release": ENDED,
        "skip": ENDED,
        "extend": ENDED,
        "retry": TAKEN,
        "write_off": TAKEN,
    },
    "frozen": {
        "promise": "A dispute about this invoice is open: nothing is charged on any date before the bank has decided.",
        "hold": TAKEN,
        "release": NOTHING,
        "skip": LEFT_OUT + "a dispute is open: waits for its outcome",
        "extend": TAKEN,
        "retry": "A dispute about this invoice is open. It can be paid once the dispute is decided.",
        "write_off": "A dispute about this invoice is open: the bank decides about its money. Wait for the decision.",
    },
    "gated": {
        "promise": GATED,
        "hold": GATED,
        "release": GATED,
        "skip": GATED,
        "extend": GATED,
        "retry": TAKEN,
        "write_off": "This is a draft without number: it is dropped, not corrected. Use: relance invoice void",
    },
    "paid": {
        "promise": NOT_CHASED,
        "hold": NOT_CHASED,
        "release": NOT_CHASED,
        "skip": NOT_CHASED,
        "extend": NOT_CHASED,
        "retry": "This invoice is not open any more. Nothing is owed on it.",
        "write_off": "Only an open invoice is written off; this one is paid.",
    },
}


class Preparing:
    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


class TakenBack(Exception):
    """Ends a transaction without a trace; says what came of it."""


def test_every_state_knows_every_action() -> None:
    actions = {*ACTIONS, "retry", "write_off"}
    assert {state: set(cells) for state, cells in TABLE.items()} == dict.fromkeys(TABLE, actions)
    assert sum(len(cells) for cells in TABLE.values()) == 77


@pytest.mark.parametrize("state", TABLE)
async def test_what_is_taken_and_what_is_refused(sqlite_database: Database, state: str) -> None:
    async with sqlite_database.write() as session:
        anna, invoice = await _in_state(session, state)
    seen = {action: await _tried(sqlite_database, anna, invoice, action) for action in TABLE[state]}
    assert {action: words for action, words in seen.items() if not _fits(words, TABLE[state][action])} == {}


def _fits(words: str, cell: str) -> bool:
    return words == cell or (cell not in (TAKEN, BY_DRIVER) and cell in words)


async def _tried(database: Database, anna: Someone, invoice: Invoice, action: str) -> str:
    try:
        async with database.write() as session:
            await _act_and_take_back(session, anna, invoice, action)
    except TakenBack as undone:
        return str(undone)
    raise AssertionError("what was tried must leave no trace")


async def _act_and_take_back(session: AsyncSession, anna: Someone, invoice: Invoice, action: str) -> None:
    try:
        said = await _act(session, anna, invoice, action)
    except RelanceError as refusal:
        said = refusal.message
    raise TakenBack(said)


async def _act(session: AsyncSession, anna: Someone, invoice: Invoice, action: str) -> str:
    if action in ACTIONS:
        done = await steer_chase(
            session, Preparing(), BookRules(), ACTIONS[action], invoice_id=invoice.id, at=NOW
        )
        return TAKEN if done.invoice_id == invoice.id else BY_DRIVER
    if action == "retry":
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        work = Work(session, Preparing(), BookRules(), row, NOW)
        case = await chase_of(work, await session.get_one(Invoice, invoice.id))
        assert case is not None
        refusal = may_ask(case, Trigger.SUPPORT, NOW)
        return TAKEN if refusal is None else refusal.message
    order = WriteOff(command_id="c", invoice_id=invoice.id, reason="asked")
    begun = await begin_correction(session, Preparing(), BookRules(), order, at=NOW)
    return WAITS if isinstance(begun, UnderWay) else TAKEN


async def _in_state(session: AsyncSession, state: str) -> tuple[Someone, Invoice]:
    anna = await factories.someone(session)
    if state == "joined":
        older = factories.invoice(anna)
        session.add(older)
        await session.flush()
        await open_collection(session, anna.subscription, older, NEW_YEAR)
    draft: dict[str, Any] = {
        "status": InvoiceStatus.DRAFT,
        "gated": True,
        "gate_closes_at": datetime(2027, 1, 4, tzinfo=UTC),
        "number": None,
        "issued_on": None,
        "issued_at": None,
    }
    period = {
        "period_start": factories.FEBRUARY.start,
        "period_end": factories.FEBRUARY.end,
        "covers_until": factories.FEBRUARY.end,
    }
    changes = {"gated": draft, "joined": period, "frozen": {"frozen": True}}.get(state, {})
    invoice = factories.invoice(anna, **changes)
    declined = factories.attempt(
        anna,
        invoice,
        state=AttemptState.DECLINED,
        settled_at=NEW_YEAR,
        decline_code="insufficient_funds",
        decline_class=DeclineClass.RETRY_LATER,
    )
    session.add_all([invoice, declined])
    await session.flush()
    chase = await open_collection(session, anna.subscription, invoice, NEW_YEAR)
    chase.noticed_through_day, chase.done_through_day = 0, 1
    _reach(session, anna, invoice, chase, state)
    return anna, invoice


def _reach(session: AsyncSession, anna: Someone, invoice: Invoice, chase: Collection, state: str) -> None:
    match state:
        case "processing" | "unknown" | "action_required":
            live = factories.attempt(anna, invoice, 2, trigger=Trigger.RETRY, state=AttemptState(state))
            session.add(live)
            invoice.payment_state = PaymentState(state)
        case "promised":
            chase.promise_on = date(2027, 1, 10)
        case "paused":
            chase.held_until = date(2027, 1, 10)
        case "ended":
            chase.ended = True
        case "paid":
            invoice.status, invoice.paid_minor = InvoiceStatus.PAID, invoice.total_minor
            chase.closed_at = NOW
