"""What became of everybody, in tables: the customers, the money, the retries, the check of the books."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.money import to_major
from sandbox.demo.checking import Verdict
from sandbox.demo.life import Customer
from starter.accounts import Accounts, InvoiceAccount
from starter.client import RelanceClient
from starter.diary import Fact, FactKind
from starter.overview import Overview
from starter.signup_sessions import NewSignup

REMINDER: Final = "mail payment_reminder"
"""Several of one customer and day leave as one mail (rules 26)."""
_NOT_SENT: Final = (", refused",)


@dataclass(frozen=True)
class Story:
    """One customer at the end: what happened, and where they stand."""

    customer: Customer
    diary: Sequence[Fact]
    overview: Overview

    def count(self, kind: FactKind, start: str = "") -> int:
        """How many facts of a kind begin with these words."""
        return sum(fact.kind is kind and fact.sentence.startswith(start) for fact in self.diary)

    @property
    def mails_sent(self) -> int:
        """Mails that left for this customer."""
        mails = [f for f in self.diary if f.kind is FactKind.MAIL and not f.sentence.endswith(_NOT_SENT)]
        reminders = {f.on for f in mails if f.sentence == REMINDER}
        return sum(f.sentence != REMINDER for f in mails) + len(reminders)

    @property
    def lost(self) -> bool:
        """Whether a failed payment ended it."""
        return self.count(FactKind.DUNNING, "dunning ended") > 0

    @property
    def standing(self) -> str:
        """Where it stands, in a few words."""
        now = self.overview
        ends = f", ends {now.period_end}" if any(p.startswith("cancel") for p in now.pending) else ""
        coming = now.next_invoice
        if coming is not None and not ends:
            return f"{now.status}, next {coming.on}"
        since = next((f.on for f in reversed(self.diary) if f.kind is FactKind.STATUS), None)
        return f"{now.status}{ends or f', {since}'}"


async def read_stories(relance: RelanceClient, customers: Sequence[Customer]) -> list[Story]:
    """Everybody, in the order in which they signed up."""
    return [
        Story(
            customer,
            await relance.diary(customer.subscription_id),
            await relance.show(customer.subscription_id),
        )
        for customer in customers
    ]


def print_stories(console: Console, stories: Sequence[Story], accounts: Accounts) -> None:
    """One line per customer: what happened, and what it came to."""
    table = _table("What happened")
    for title in ("Customer", "Story"):
        table.add_column(title, no_wrap=title == "Customer")
    for title in ("Inv.", "Tries", "Failed", "Mails", "Billed", "Paid", "Owed"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("At the end", no_wrap=True)
    for story in stories:
        own = [i for i in accounts.invoices if i.customer_id == story.customer.customer_id]
        tries = story.count(FactKind.CHARGE)
        failed = tries - story.count(FactKind.CHARGE, "charge paid")
        owed = sum(invoice.open_minor for invoice in own)
        table.add_row(
            story.customer.person.name,
            Text(story.customer.person.story, style="dim"),
            str(len(own)),
            str(tries),
            Text(str(failed or ""), style="red"),
            str(story.mails_sent),
            _sum(own, "total_minor"),
            _sum(own, "paid_minor"),
            Text(_sum(own, "open_minor") if owed else "", style="red"),
            Text(story.standing, style="green" if story.overview.entitled else ""),
        )
    console.print(table)


def print_totals(console: Console, stories: Sequence[Story], accounts: Accounts) -> None:
    """Billed, collected, credited, open; what the retries brought back; who was lost."""
    for currency in sorted({invoice.currency for invoice in accounts.invoices}):
        _print_money(console, accounts, currency)
    _print_recovered(console, accounts)
    lost = [story for story in stories if story.lost]
    for story in lost:
        owed = [i for i in accounts.invoices if i.customer_id == story.customer.customer_id]
        console.print(
            f"Lost to a failed payment: {story.customer.person.name}, {story.overview.status}, "
            f"{_sum(owed, 'open_minor')} {story.overview.currency} still owed."
        )
    if not lost:
        console.print("Nobody was lost to a failed payment.")


def _print_money(console: Console, accounts: Accounts, currency: str) -> None:
    invoices = [i for i in accounts.invoices if i.currency == currency]
    customers = [c for c in accounts.customers if c.currency == currency]
    table = _table(f"Totals, {currency}")
    amounts = {
        "Billed": sum(i.total_minor for i in invoices),
        "Collected": sum(c.paid_minor for c in customers),
        "Credited": sum(c.credited_minor for c in customers),
        "Open": sum(i.open_minor for i in invoices if i.status == "open"),
        "Written off": sum(i.open_minor for i in invoices if i.status == "uncollectible"),
        "Owed to customers": sum(c.balance_minor + c.unapplied_minor for c in customers),
    }
    for title in amounts:
        table.add_column(title, justify="right")
    table.add_row(*(str(to_major(amount, currency)) for amount in amounts.values()))
    console.print(table)


def _print_recovered(console: Console, accounts: Accounts) -> None:
    """Which try brought the money of each paid invoice."""
    counts: Counter[tuple[int, str]] = Counter()
    amounts: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for payment in accounts.payments:
        way = _way(payment.trigger, payment.retry_number)
        counts[way] += 1
        amounts[way][payment.currency] += payment.amount_minor
    table = _table("Collected by")
    table.add_column("")
    table.add_column("Invoices", justify="right")
    table.add_column("Amount", justify="right")
    for way in sorted(counts):
        sums = ", ".join(
            f"{to_major(minor, currency)} {currency}" for currency, minor in amounts[way].items()
        )
        table.add_row(way[1], str(counts[way]), sums)
    console.print(table)


def _way(trigger: str, retry_number: int) -> tuple[int, str]:
    """What brought the money; the number puts the ways in order."""
    by_person = {
        "method_replaced": (90, "another card"),
        "customer": (91, "the customer, on the pay page"),
        "support": (92, "support, by hand"),
    }
    if trigger in by_person:
        return by_person[trigger]
    return (retry_number, f"retry {retry_number}" if retry_number else "the first charge")


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Whether the books agree with the fake Stripe, with a line for each difference."""
    console.print(Text("\nThe books against the fake Stripe's ledger", style="bold"))
    for compared in verdict.compared:
        console.print(f"  compared: {compared}", highlight=False)
    for difference in verdict.differences:
        console.print(Text(f"  DIFFERENCE {difference}", style="red"), soft_wrap=True)
    if verdict.agrees:
        console.print(Text("  They agree, to the cent.", style="green"))
    else:
        console.print(Text(f"  They do not agree: {len(verdict.differences)} differences.", style="bold red"))


async def print_portals(console: Console, relance: RelanceClient, stories: Sequence[Story]) -> None:
    """The portal's address for somebody who is well, and for somebody who is not."""
    chosen = (("all is well", ("active",)), ("a payment failed", ("past_due", "unpaid")))
    console.print(Text("\nThe portal, as two of them see it (for 15 minutes)", style="bold"))
    for title, statuses in chosen:
        story = next((each for each in stories if each.overview.status in statuses), None)
        if story is not None:
            link = await relance.portal_sessions.create(story.customer.customer_id, by="demo")
            line = f"  {story.customer.person.name}, {title}: {link.url}"
            console.print(line, soft_wrap=True, highlight=False)


async def print_signup(console: Console, relance: RelanceClient, *, leads_to: str) -> None:
    """The address of a page on which whoever looks at the demo may sign up, in real time."""
    plan = (await relance.list_plans())[0]
    order = NewSignup(plan=plan.id, success_url=leads_to, cancel_url=leads_to)
    row = await relance.signup_sessions.create(order, by="demo")
    console.print(Text("\nA page on which to sign up yourself (for a day)", style="bold"))
    line = f"  {plan.name}: {relance.signup_sessions.url_of(row)}"
    console.print(line, soft_wrap=True, highlight=False)


def _sum(invoices: Sequence[InvoiceAccount], field: str) -> str:
    amounts: Counter[str] = Counter()
    for invoice in invoices:
        amounts[invoice.currency] += getattr(invoice, field)
    return " + ".join(str(to_major(amount, currency)) for currency, amount in amounts.items())


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
