"""Whatever is changed, credited, paid and declined in whatever order, the books add up (I6, I11, rules 8 and 12).

After each thing that happens the documents are compared with `support.reckoning`, to the last minor unit.
"""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.adding_up import assert_adds_up, assert_demo_agrees, assert_prints, left_from, measure, worth
from support.bookkeeping import Bookkeeping, Page, load_exchange_rates, signs_up
from support.happenings import (
    ANSWERS,
    LIVES,
    Ask,
    CancelNow,
    Change,
    ComeBack,
    CreditByPerson,
    Happening,
    Life,
    Pass,
    PauseNow,
    Pay,
    Refunds,
    Settle,
)
from support.promised import assert_backend_lets_in_whom_it_should
from support.reckoning import DECIMALS, ONE_DAY, PLANS, Days, Reckoning, days_of, terms_of
from support.told import everything_told

from billing.calendar import Period
from billing.commands import Cancel, ChangePlan, Command, CreditTo, Pause, When
from billing.errors import InvalidInput
from billing.lines import LineKind
from billing.payment import AttemptState, Trigger
from billing.refusal import Refused
from billing.steps import StepKind
from billing.subscription import Status
from models.database import Database
from models.tables import Invoice, InvoiceStatus

UNDER_WAY = (AttemptState.STARTED, AttemptState.PROCESSING)


class Walk:
    """A life in which the books are held against what it should have cost."""

    def __init__(self, books: Bookkeeping) -> None:
        self.books = books
        self.reckoning = Reckoning()
        self._numbers = count()

    async def begins(self) -> None:
        page = await self.books.look()
        (invoice,) = page.issued.values()
        new = days_of(page.state.terms, page.state.discounts, period_of(page))
        self.reckoning.bill(new, invoice.id)
        assert worth(page) == cost(new)

    async def happens(self, what: Happening, answer: str) -> None:
        match what:
            case Change():
                await self._change(what)
            case CancelNow(credit_to=credit_to):
                await self._stop(
                    Cancel(command_id=self._command_id(), when=When.NOW, credit_to=credit_to),
                    gives_back=credit_to is not CreditTo.NONE,
                )
            case PauseNow(credit=credit):
                await self._stop(
                    Pause(command_id=self._command_id(), when=When.NOW, credit=credit), gives_back=credit
                )
            case ComeBack():
                await self._come_back(what)
            case CreditByPerson():
                await self._credit(what)
            case Pass(days=days):
                await self._pass(days)
            case Pay() | Refunds() | Settle() | Ask():
                await self._settle(what)
        await self.charges_are(answer)

    async def charges_are(self, answer: str) -> None:
        """What the bank says to every charge that was set off; empty: nothing yet."""
        for attempt in (await self.books.look()).attempts if answer else ():
            if attempt.state is AttemptState.QUEUED:
                begun = await self.books.begins_charge(attempt.invoice_id, Trigger.FIRST)
                if begun is not None:
                    await self._hear(begun, answer)
        await assert_adds_up(self.books)

    def _command_id(self) -> str:
        return f"{self.books.subscription_id}/{next(self._numbers)}"

    async def _tells(self, command: Command) -> bool:
        """Ask for something that was looked at first: what is charged and given back is what the preview said."""
        before = await self.books.look()
        try:
            shown = await self.books.previews(command)
        except (Refused, InvalidInput):
            assert not await self.books.tells(command)
            return False
        assert await self.books.tells(command)
        after = await self.books.look()
        written = [invoice for key, invoice in after.invoices.items() if key not in before.invoices]
        notes = [note for note in after.notes if note.id not in {old.id for old in before.notes}]
        assert shown.due_minor == sum(invoice.open_minor for invoice in written)
        assert shown.from_balance_minor == sum(invoice.balance_minor for invoice in written)
        assert shown.if_paid or shown.credited_minor == sum(note.total_minor for note in notes)
        return True

    async def _change(self, asked: Change) -> None:
        before = await self.books.look()
        included = before.state.terms.tax_included
        await self._tells(asked.command(self._command_id(), self.books.currency, tax_included=included))
        after = await self.books.look()
        added = worth(after) - worth(before)
        rhythm_stays = after.state.terms.interval == before.state.terms.interval
        if after.waits is not None and before.waits is None:
            assert added == 0
            self._check_draft(before, after)
        elif agreed(after) == agreed(before) or (rhythm_stays and not asked.prorate):
            assert added == 0
        else:
            today = self.books.today
            period = period_of(after).model_copy(update={"start": today})
            new = days_of(after.state.terms, after.state.discounts, period)
            left = left_from(before, today) if asked.prorate else None
            given = 0 if left is None else self.reckoning.give_back(today, left=left, again=new)
            assert added == cost(new) - given
            self.reckoning.bill(new, new_home(before, after))

    def _check_draft(self, before: Page, after: Page) -> None:
        """A draft that waits for its payment has the new terms, and what they replace where that can stand on it."""
        waits, draft = after.waits, gated_draft(after)
        assert waits is not None
        new = days_of(waits.terms, waits.discounts, waits.billed_period)
        given, left = 0, left_from(before, waits.change_on)
        if waits.prorate:
            given = self.reckoning.copy().give_back(waits.change_on, left=left, again=new)
        assert measure(after, draft) == cost(new) - (given if credits_on(after, draft) else 0)

    def _take_effect(self, before: Page, after: Page) -> int:
        """A change that waited for its payment is made; answers what that adds."""
        waits, draft = before.waits, gated_draft(before)
        assert waits is not None
        new = days_of(waits.terms, waits.discounts, waits.billed_period)
        given, left = 0, left_from(before, waits.change_on) + measure(before, draft)
        if waits.prorate:
            given = self.reckoning.give_back(waits.change_on, left=left, again=new)
        self.reckoning.bill(new, draft.id)
        return measure(before, draft) - (0 if credits_on(after, draft) else given)

    async def _stop(self, command: Command, *, gives_back: bool) -> None:
        """A cancel or a pause now; the day itself is used."""
        before = await self.books.look()
        done = await self._tells(command)
        given, next_day = 0, self.books.today + ONE_DAY
        if gives_back and done and before.state.status.bills:
            given = self.reckoning.give_back(next_day, left=left_from(before, next_day))
        assert worth(await self.books.look()) - worth(before) == -given

    async def _come_back(self, asked: ComeBack) -> None:
        """A resume bills what is left of the period from the first day on that nothing covers."""
        before = await self.books.look()
        await self._tells(asked.command(self._command_id()))
        after = await self.books.look()
        new: list[Days] = []
        if before.state.status is Status.PAUSED and after.state.status.bills:
            covered = [each.end for each in self.reckoning.billed if counts(before.invoices[each.home])]
            begins_on, period = max([self.books.today, *covered]), period_of(after)
            if begins_on < period.end:
                assert begins_on == period.start
                new = days_of(after.state.terms, after.state.discounts, period)
                self.reckoning.bill(new, new_home(before, after))
        assert worth(after) - worth(before) == cost(new)

    async def _credit(self, asked: CreditByPerson) -> None:
        before = await self.books.look()
        invoice = list(before.issued.values())[asked.invoice % len(before.issued)]
        if any(a.invoice_id == invoice.id and a.state in UNDER_WAY for a in before.attempts):
            return  # it would wait for that payment: test_waiting_corrections.py
        left = invoice.total_minor - sum(n.total_minor for n in before.notes if n.invoice_id == invoice.id)
        part = max(1, left * asked.thousandths // 1000)
        done = await self.books.corrects(asked.correction(self._command_id(), invoice.id, part))
        after = await self.books.look()
        less = worth(before, gross=True) - worth(after, gross=True)
        if asked.how == "line":
            line = before.lines_of(invoice.id)[0].line
            assert worth(before) - worth(after) == (line.amount_minor if done else 0)
        else:
            assert done is (left > 0)
            assert less == (0 if not done else part if asked.how == "amount" else left)
            if less == left:
                self.reckoning.forget(invoice.id)

    async def _pass(self, days: int) -> None:
        await self.books.passes(days)
        step = None
        while step is not StepKind.WAIT:
            before = await self.books.look()
            step = await self.books.takes_step()
            after = await self.books.look()
            new: list[Days] = []
            if step is StepKind.BOUNDARY and after.state.status.bills:
                new = days_of(after.state.terms, after.state.discounts, period_of(after))
                self.reckoning.bill(new, new_home(before, after))
            assert worth(after) - worth(before) == cost(new)

    async def _settle(self, what: Pay | Refunds | Settle | Ask) -> None:
        """What moves money, or is for later: no document says anything else by it."""
        before = await self.books.look()
        match what:
            case Pay(answer=answer):
                await self._pay(before, answer)
                return
            case Refunds(state=state):
                await self.books.refunds_are(state)
            case Settle(invoice=place):
                invoice_id = list(before.issued)[place % len(before.issued)]
                await self.books.corrects(what.correction(self._command_id(), invoice_id))
            case Ask():
                await self._tells(what.command(self._command_id()))
        assert worth(await self.books.look()) == worth(before)

    async def _pay(self, page: Page, answer: str) -> None:
        for invoice in page.invoices.values():
            if invoice.status is InvoiceStatus.OPEN or is_gated(invoice):
                attempt = await self.books.begins_charge(invoice.id)
                if attempt is not None:
                    await self._hear(attempt, answer)
                return

    async def _hear(self, attempt_id: str, answer: str) -> None:
        before = await self.books.look()
        await self.books.hears(attempt_id, answer)
        after = await self.books.look()
        is_made = before.waits is not None and after.waits is None and agreed(after) != agreed(before)
        assert worth(after) - worth(before) == (self._take_effect(before, after) if is_made else 0)


# What the books say


def period_of(page: Page) -> Period:
    assert page.state.period is not None
    return page.state.period


def agreed(page: Page) -> tuple[str, int, list[str]]:
    state = page.state
    return state.terms.plan_id, state.terms.quantity, [discount.coupon_id for discount in state.discounts]


def cost(days: list[Days]) -> int:
    return sum(each.cost for each in days)


def new_home(before: Page, after: Page) -> str:
    """The invoice that was issued, or the one that a credit note with charges corrects."""
    known = {note.id for note in before.notes}
    homes = [key for key in after.issued if key not in before.issued]
    homes += [note.invoice_id for note in after.notes if note.id not in known]
    return homes[0] if homes else ""


def is_gated(invoice: Invoice) -> bool:
    return invoice.gated and invoice.status is InvoiceStatus.DRAFT


def gated_draft(page: Page) -> Invoice:
    (draft,) = filter(is_gated, page.invoices.values())
    return draft


def credits_on(page: Page, invoice: Invoice) -> bool:
    return any(row.line.kind is LineKind.PRORATION_CREDIT for row in page.lines_of(invoice.id))


def counts(invoice: Invoice) -> bool:
    """Whether the days of an invoice are paid for, or still to be; what a credit alone closed is not."""
    is_paid = invoice.paid_minor > 0 or invoice.total_minor == 0
    return invoice.status is InvoiceStatus.OPEN or (invoice.status is InvoiceStatus.PAID and is_paid)


async def live(
    database: Database, plan: str, currency: str, first: str, life: Life, *, tax_included: bool
) -> None:
    """One life, compared with its cost at every step."""
    await load_exchange_rates(database)
    offers = [terms_of(name, currency, tax_included=tax_included) for name in PLANS]
    walk = Walk(await signs_up(database, terms_of(plan, currency, tax_included=tax_included), *offers))
    with everything_told():
        await walk.begins()
        await walk.charges_are(first)
        await assert_backend_lets_in_whom_it_should(walk.books)
        for what, answer in life:
            await walk.happens(what, answer)
            await assert_backend_lets_in_whom_it_should(walk.books)
    await assert_demo_agrees(walk.books)
    await assert_prints(walk.books)


# The same lives each time; to look for others, take `derandomize` away and raise `max_examples`. One that fails is
# short enough to be read as it is: to make it shorter would take minutes.
FEW = settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
BEGINNINGS = {
    "plan": st.sampled_from(["small", "big", "team"]),
    "currency": st.sampled_from(list(DECIMALS)),
    "tax_included": st.booleans(),
    "first": ANSWERS,
    "life": LIVES,
}


@pytest.mark.timeout(300)
@settings(FEW, max_examples=50)
@given(**BEGINNINGS)
async def test_the_books_add_up_whatever_happens(
    sqlite_database: Database, *, plan: str, currency: str, tax_included: bool, first: str, life: Life
) -> None:
    await live(sqlite_database, plan, currency, first, life, tax_included=tax_included)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@settings(FEW, max_examples=6)
@given(**BEGINNINGS)
async def test_they_add_up_on_postgresql(
    database: Database, *, plan: str, currency: str, tax_included: bool, first: str, life: Life
) -> None:
    await live(database, plan, currency, first, life, tax_included=tax_included)


# One change, any price

PRICES = st.integers(1, 90_000_000)
"""Hundredths of a minor unit."""
A_MONTH = {
    "price": PRICES,
    "currency": st.sampled_from(list(DECIMALS)),
    "tax_included": st.booleans(),
    "day": st.integers(0, 30),
}


async def in_january(database: Database, price: int, currency: str, day: int, *, gross: bool) -> Bookkeeping:
    """Some days into a January that is paid."""
    await load_exchange_rates(database)
    books = await signs_up(database, terms_of("small", currency, tax_included=gross, prices={"base": price}))
    await books.is_paid()
    await books.passes(day)
    return books


@settings(FEW, max_examples=12)
@given(**A_MONTH)
async def test_a_cancel_gives_back_the_price_for_the_days_that_are_left(
    sqlite_database: Database, *, price: int, currency: str, tax_included: bool, day: int
) -> None:
    books = await in_january(sqlite_database, price, currency, day, gross=tax_included)
    assert await books.tells(Cancel(command_id=books.clock_id, when=When.NOW))
    page = await books.look()
    given_back = sum(measure(page, note) for note in page.notes)
    exact_over, exact_under = price * (30 - day), 100 * 31
    # Half up: at most half a unit away, upwards where two are.
    assert -exact_under <= 2 * (exact_over - given_back * exact_under) < exact_under
    await assert_adds_up(books)


@settings(FEW, max_examples=12)
@given(**A_MONTH, other=PRICES)
async def test_a_change_and_its_reverse_on_one_day_cost_nothing(
    sqlite_database: Database, *, price: int, other: int, currency: str, tax_included: bool, day: int
) -> None:
    books = await in_january(sqlite_database, price, currency, day, gross=tax_included)
    before = await books.look()
    for amount in (other, price):
        terms = terms_of("small", currency, tax_included=tax_included, prices={"base": amount})
        command = ChangePlan(
            command_id=f"{books.clock_id} {amount}", plan_id=terms.plan_id, terms=terms, when=When.NOW
        )
        assert await books.tells(command)
        await books.is_paid()
    after = await books.look()
    assert after.state.terms == before.state.terms
    assert worth(after) == worth(before)
    # VAT is rounded once on each document.
    assert abs(worth(after, gross=True) - worth(before, gross=True)) <= 1
    await assert_adds_up(books)
