"""A person steers the chase of an invoice: one transaction, done once, kept with who and why (rules 25, U18)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chase_steps import case_report
from activities.books.chasing import load_case, lock_collection, store_progress
from activities.books.config import BookRules
from activities.books.correcting import DONE, CommandIdTaken
from activities.books.gate import Prepares
from activities.books.notices import emit, write_mail
from activities.books.rows import customer_of, lock_with_subscription
from activities.books.transitions import settle_standing
from activities.books.work import Work
from billing.case import Role, ends_on, no_automatic_charge
from billing.payment import Trigger
from billing.refusal import Refused
from billing.steering import Directive, Promise, Steered, steer
from billing.values import Value
from models.boundary import CaseReport
from models.tables import Collection, CommandRow, Invoice


class ChaseSteered(Value):
    """What became of a directive."""

    command_id: str
    invoice_id: str
    """The invoice whose chase drives: not the one named, where that one only joined it (U18)."""
    report: CaseReport
    """The chase afterwards, and what comes next."""


async def steer_chase(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    directive: Directive,
    *,
    invoice_id: str,
    at: datetime,
) -> ChaseSteered:
    """Carry out a directive. The same command id again changes nothing and answers how the chase stands.

    Raises:
        NotFound: there is no such invoice; field `invoice`.
        Refused: it is not chased, or the directive does not fit.
        CommandIdTaken: the id was used for something else; field `command_id`.
    """
    row, named = await lock_with_subscription(session, invoice_id)
    work = Work(session, gateway, rules, row, at, directive.command_id)
    invoice = await _driver(session, named)
    collection = await lock_collection(session, invoice)
    known = await session.get(CommandRow, directive.command_id)
    if known is not None:
        _check_same(known, directive)
    else:
        case = await load_case(session, row, invoice, collection, rules)
        _store(collection, steer(case, directive, at, most_promise_days=rules.promise_days))
        _keep(work, invoice, directive)
        await _tell(work, invoice, collection, directive)
    report = await case_report(work, invoice, collection)
    return ChaseSteered(command_id=directive.command_id, invoice_id=invoice.id, report=report)


async def _driver(session: AsyncSession, named: Invoice) -> Invoice:
    """The invoice whose chase runs for the subscription: a directive given for a joined one is given to it (U18)."""
    query = select(Collection).where(
        Collection.subscription_id == named.subscription_id, col(Collection.closed_at).is_(None)
    )
    chases = {chase.invoice_id: chase for chase in (await session.exec(query)).all()}
    own = chases.get(named.id)
    if own is None:
        raise Refused(f"The invoice {named.number or named.id} is not chased.", field="invoice")
    if own.role != Role.JOINED.value:
        return named
    drives = [key for key, chase in chases.items() if chase.role == Role.DRIVING.value and not chase.ended]
    if not drives:
        raise Refused("No chase of this subscription is running.", field="invoice")
    _, driver = await lock_with_subscription(session, drives[0])
    return driver


def _check_same(known: CommandRow, directive: Directive) -> None:
    asked = _payload(directive)
    if known.kind != f"dunning.{directive.kind}" or known.payload.get("directive") != asked:
        raise CommandIdTaken(
            f"The command id {directive.command_id} was used for something else. Take a new one.",
            field="command_id",
        )


def _payload(directive: Directive) -> dict[str, object]:
    return directive.model_dump(mode="json", exclude={"as_of", "by", "reason", "command_id"})


def _store(collection: Collection, steered: Steered) -> None:
    store_progress(collection, steered.progress)
    collection.promise_on, collection.held_until = steered.promise_on, steered.held_until


def _keep(work: Work, invoice: Invoice, directive: Directive) -> None:
    work.session.add(
        CommandRow(
            id=directive.command_id,
            subscription_id=work.row.id,
            kind=f"dunning.{directive.kind}",
            payload={"invoice": invoice.id, "directive": _payload(directive)},
            by=directive.by,
            reason=directive.reason,
            outcome=DONE,
            at=work.at,
        )
    )


async def _tell(work: Work, invoice: Invoice, collection: Collection, directive: Directive) -> None:
    """The event, the mail about a promise, and what it means for the subscription's end of service."""
    await work.session.flush()
    case = await load_case(work.session, work.row, invoice, collection, work.rules)
    facts = {
        "invoice": invoice.id,
        "directive": directive.kind,
        "until": str(case.hold_on or ""),
        "ends_on": str(ends_on(case, work.at)),
        "by": directive.by,
    }
    emit(work.session, work.row, "dunning.steered", facts, work.at, work.rules.access)
    if isinstance(directive, Promise):
        await write_mail(
            work.session,
            await customer_of(work.session, invoice),
            kind="promise_noted",
            step="promise_noted",
            occurrence=directive.command_id,
            at=work.at,
            subscription=work.row,
            invoice=invoice,
            context={
                "promised_on": str(directive.on),
                "charged": no_automatic_charge(case, Trigger.PROMISE) is None,
            },
        )
    await settle_standing(work)


async def chased_invoices(session: AsyncSession, customer_id: str) -> list[str]:
    """The invoices of a customer whose chases drive, oldest first."""
    query = (
        select(Collection)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .where(
            Collection.customer_id == customer_id,
            Collection.role == Role.DRIVING.value,
            col(Collection.closed_at).is_(None),
            col(Collection.ended).is_(False),
        )
        .order_by(col(Invoice.period_start), col(Invoice.id))
    )
    return [chase.invoice_id for chase in (await session.exec(query)).all()]
