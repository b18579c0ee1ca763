"""What happened to a customer or a subscription, from the books alone, one sentence a fact.

The same life gives the same diary on any database and on any kind of clock: facts are ordered by the minute,
within it by what they are, and never by an id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from billing.dispute import DisputeState
from billing.money import to_major
from billing.payment import AttemptState
from billing.values import Value
from models.tables import (
    CreditNote,
    Dispute,
    Invoice,
    LateClaim,
    Message,
    MessageState,
    OutgoingEvent,
    PaymentAttempt,
    Refund,
    SubscriptionRow,
    TransferShare,
)


class FactKind(StrEnum):
    """What a fact is; the order in which those of one minute are told."""

    PLAN = "plan"
    INVOICE = "invoice"
    DISPUTE = "dispute"
    CHARGE = "charge"
    TRANSFER = "transfer"
    CREDIT = "credit"
    DUNNING = "dunning"
    STATUS = "status"
    ACCESS = "access"
    ASKED = "asked"
    MAIL = "mail"


class Fact(Value):
    """One thing that happened."""

    at: datetime
    on: date
    """Local to the customer."""
    kind: FactKind
    sentence: str
    subscription_id: str

    @property
    def line(self) -> str:
        """Date and sentence: `2027-01-31 invoice 58.80 issued`."""
        return f"{self.on} {self.sentence}"


_ORDER: Final = {kind: rank for rank, kind in enumerate(FactKind)}
_STATUS: Final = {
    "subscription.trial_started": "trialing",
    "subscription.started": "active",
    "subscription.past_due": "past_due",
    "subscription.recovered": "active",
    "subscription.resumed": "active",
    "subscription.unpaid": "unpaid",
    "subscription.paused": "paused",
    "subscription.canceled": "canceled",
    "subscription.incomplete_expired": "incomplete_expired",
}
_SAID: Final[dict[str, tuple[FactKind, str]]] = {
    "subscription.signed_up": (FactKind.ASKED, "signed up by themselves"),
    "subscription.imported": (FactKind.STATUS, "brought in, paid elsewhere until {paid_elsewhere_until}"),
    "subscription.change_scheduled": (FactKind.ASKED, "plan change to {to} asked"),
    "subscription.coupon_added": (FactKind.ASKED, "coupon {coupon} added"),
    "subscription.cancel_scheduled": (FactKind.ASKED, "cancel asked for {ends_on}"),
    "subscription.pause_scheduled": (FactKind.ASKED, "pause asked for the period's end"),
    "subscription.price_change_announced": (FactKind.ASKED, "price of {to} announced from {from_on}"),
    "subscription.kept": (FactKind.ASKED, "cancel or pause taken back"),
    "subscription.plan_changed": (FactKind.PLAN, "plan changed to {to}"),
    "subscription.parked": (FactKind.STATUS, "parked"),
    "subscription.unparked": (FactKind.STATUS, "resumed from parked"),
    "dunning.steered": (FactKind.ASKED, "dunning {directive} by {by}"),
    "dunning.ended": (FactKind.DUNNING, "dunning ended: {subscription_end}"),
}
_NOT_YET: Final = (AttemptState.QUEUED, AttemptState.STARTED)

Row = TypeVar("Row", bound=SQLModel)
Keyed = tuple[tuple[Any, ...], Fact]
"""A fact and what orders it."""


async def diary_of(session: AsyncSession, subscriptions: Sequence[SubscriptionRow]) -> list[Fact]:
    """Everything that happened to these subscriptions, in order.

    Args:
        session: for looking.
        subscriptions: in the order in which facts of the same minute and kind are told.
    """
    told: list[Keyed] = []
    for place, row in enumerate(subscriptions):
        writer = _Writer(row, place)
        invoices = await _rows(session, Invoice, row)
        told += writer.invoices(invoices)
        periods = {invoice.id: invoice.period_start for invoice in invoices}
        told += writer.attempts(await _rows(session, PaymentAttempt, row), periods)
        told += writer.disputes(await _disputes(session, row))
        told += writer.transfers(await _of_invoices(session, TransferShare, periods), invoices)
        told += writer.claims(await _of_invoices(session, LateClaim, periods), periods)
        told += writer.credits(await _of_invoices(session, CreditNote, periods), periods)
        told += writer.refunds(await _of_invoices(session, Refund, periods), periods)
        told += writer.events(await _rows(session, OutgoingEvent, row))
        told += writer.mails(await _rows(session, Message, row), periods)
    return [fact for _, fact in sorted(told, key=lambda keyed: keyed[0])]


async def _rows(
    session: AsyncSession,
    table: type[Invoice] | type[PaymentAttempt] | type[OutgoingEvent] | type[Message],
    row: SubscriptionRow,
) -> Sequence[Any]:
    return (await session.exec(select(table).where(col(table.subscription_id) == row.id))).all()


async def _disputes(session: AsyncSession, row: SubscriptionRow) -> Sequence[Dispute]:
    """Disputes about payments of the subscription."""
    query = select(Dispute).join(PaymentAttempt, col(Dispute.attempt_id) == col(PaymentAttempt.id))
    return (await session.exec(query.where(PaymentAttempt.subscription_id == row.id))).all()


async def _of_invoices(
    session: AsyncSession,
    table: type[CreditNote] | type[Refund] | type[TransferShare] | type[LateClaim],
    invoice_ids: Iterable[str],
) -> Sequence[Any]:
    return (await session.exec(select(table).where(col(table.invoice_id).in_(list(invoice_ids))))).all()


class _Writer:
    """Writes the facts of one subscription."""

    def __init__(self, row: SubscriptionRow, place: int) -> None:
        self._row = row
        self._place = place

    def _fact(self, at: datetime, kind: FactKind, sentence: str, *order: object) -> Keyed:
        minute = at.replace(second=0, microsecond=0)
        fact = Fact(
            at=at,
            on=local_date(at, self._row.state.timezone),
            kind=kind,
            sentence=sentence,
            subscription_id=self._row.id,
        )
        return (minute, _ORDER[kind], self._place, *order, sentence), fact

    def invoices(self, rows: Sequence[Invoice]) -> list[Keyed]:
        """Those that were issued; a draft is not yet a fact."""
        return [
            self._fact(
                row.issued_at,
                FactKind.INVOICE,
                f"{'debt' if row.is_brought_in else 'invoice'} {_amount(row.total_minor, row.currency)} "
                f"{'brought in' if row.is_brought_in else 'issued'}",
                row.period_start,
                0,
            )
            for row in rows
            if row.issued_at is not None and row.number is not None
        ]

    def attempts(self, rows: Sequence[PaymentAttempt], periods: dict[str, date]) -> list[Keyed]:
        """Those that went to the bank, with what came of them; one that was taken back later is two facts."""
        sent = [row for row in rows if row.state not in _NOT_YET]
        facts = [(row, row.settled_at or row.begun_at, _charge_sentence(row)) for row in sent]
        facts += [
            (row, row.returned_at, f"charge taken back {_amount(row.amount_minor, row.currency)}")
            for row in sent
            if row.returned_at is not None
        ]
        return [
            self._fact(at, FactKind.CHARGE, sentence, periods[row.invoice_id], row.number)
            for row, at, sentence in facts
        ]

    def disputes(self, rows: Sequence[Dispute]) -> list[Keyed]:
        """When a payer disputed a payment, and how it ended."""
        told = [(row.opened_at, row, _OPENED.get(row.state, "opened")) for row in rows]
        told += [(row.closed_at, row, row.state.value) for row in rows if row.closed_at is not None]
        return [
            self._fact(
                at,
                FactKind.DISPUTE,
                f"dispute {_amount(row.amount_minor, row.currency)} {word}",
                row.opened_at,
                word != "opened",
            )
            for at, row, word in told
        ]

    def transfers(self, rows: Sequence[TransferShare], invoices: Sequence[Invoice]) -> list[Keyed]:
        """What came by transfer, and what was taken back of it."""
        by_id = {invoice.id: invoice for invoice in invoices}
        facts = []
        for row in rows:
            invoice = by_id[row.invoice_id]
            amount = _amount(row.pays_minor + row.claim_minor + row.unapplied_minor, invoice.currency)
            order = (invoice.period_start, 0)
            came = f"transfer {amount} received{_beside(row, invoice.currency)}"
            facts.append(self._fact(row.at, FactKind.TRANSFER, came, *order))
            if row.taken_back_at is not None:
                back = f"transfer {amount} taken back"
                facts.append(self._fact(row.taken_back_at, FactKind.TRANSFER, back, *order))
        return facts

    def claims(self, rows: Sequence[LateClaim], periods: dict[str, date]) -> list[Keyed]:
        """What was claimed for late payment."""
        return [
            self._fact(
                row.at,
                FactKind.TRANSFER,
                f"late interest {_amount(row.interest_minor, row.currency)} and costs "
                f"{_amount(row.recovery_minor, row.currency)} claimed",
                periods[row.invoice_id],
                1,
            )
            for row in rows
        ]

    def credits(self, rows: Sequence[CreditNote], periods: dict[str, date]) -> list[Keyed]:
        """Credit notes."""
        return [
            self._fact(
                row.issued_at,
                FactKind.CREDIT,
                f"credit note {_amount(row.total_minor, row.currency)} issued",
                periods[row.invoice_id],
                0,
            )
            for row in rows
        ]

    def refunds(self, rows: Sequence[Refund], periods: dict[str, date]) -> list[Keyed]:
        """Money that went back."""
        return [
            self._fact(
                row.at,
                FactKind.CREDIT,
                f"refund {_amount(row.amount_minor, row.currency)} {row.state}",
                periods[row.invoice_id],
                1,
            )
            for row in rows
        ]

    def mails(self, rows: Sequence[Message], periods: dict[str, date]) -> list[Keyed]:
        """What was written to the customer; not what was withdrawn before it left."""
        return [
            self._fact(
                row.at,
                FactKind.MAIL,
                f"mail {row.kind}{_MAIL_STATES.get(row.state, '')}",
                periods.get(row.invoice_id or "", date.max),
                0,
            )
            for row in rows
            if row.state is not MessageState.WITHDRAWN
        ]

    def events(self, rows: Sequence[OutgoingEvent]) -> list[Keyed]:
        """Changes of status, of access and of the plan, and what was asked."""
        facts: list[Keyed] = []
        status, entitled = "", False
        for row in sorted(rows, key=lambda event: event.sequence):
            became = _STATUS.get(row.name, status)
            if became != status:
                status = became
                facts.append(self._fact(row.at, FactKind.STATUS, _status_sentence(status, row), row.sequence))
            elif row.name in _SAID:
                kind, words = _SAID[row.name]
                facts.append(
                    self._fact(row.at, kind, words.format_map(defaultdict(str, row.data)), row.sequence)
                )
            if row.entitled != entitled:
                entitled = row.entitled
                words = "access begins" if entitled else "access ends"
                facts.append(self._fact(row.at, FactKind.ACCESS, words, row.sequence))
        return facts


_OPENED: Final = {DisputeState.INQUIRY: "asked about by the bank"}
"""How the beginning of a dispute is told."""
_MAIL_STATES: Final = {
    MessageState.DELIVERY_UNKNOWN: ", delivery unknown",
    MessageState.REFUSED: ", refused",
}


def _beside(row: TransferShare, currency: str) -> str:
    """What else became of a transfer than to pay its invoice."""
    parts = (
        (row.small_difference_minor, "small difference"),
        (row.claim_minor, "late claim"),
        (row.unapplied_minor, "unapplied"),
    )
    return "".join(f", {words} {_amount(minor, currency)}" for minor, words in parts if minor)


def _amount(amount_minor: int, currency: str) -> str:
    return str(to_major(amount_minor, currency))


def _status_sentence(status: str, event: OutgoingEvent) -> str:
    reason = event.data.get("reason")
    return f"status {status}: {reason}" if reason else f"status {status}"


def _charge_sentence(attempt: PaymentAttempt) -> str:
    amount = _amount(attempt.amount_minor, attempt.currency)
    match attempt.state:
        case AttemptState.SUCCEEDED | AttemptState.RETURNED:
            return f"charge paid {amount}"
        case AttemptState.DECLINED:
            return f"charge declined: {attempt.decline_code or 'no reason given'}"
        case AttemptState.ACTION_REQUIRED:
            return "charge waits for the customer"
        case AttemptState.PROCESSING:
            return f"charge under way {amount}"
        case AttemptState.UNKNOWN:
            return "charge unanswered"
        case _:
            return "charge abandoned"
