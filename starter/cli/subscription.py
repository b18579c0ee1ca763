"""`relance subscription`: starting them, telling them what is asked, and what support wants to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.commands import Cancel, CreditTo, KeepSubscription, Pause, Resume, RetryNow, When, Withdraw
from models.ids import new_id
from starter.cli import output, words
from starter.cli.discounts import AmountOff, Coupon, ForPeriods, PercentOff, discount_of
from starter.cli.inputs import read_date
from starter.cli.paying import PaymentTermsOption, by_transfer
from starter.cli.running import OPERATOR, By, CommandId, with_client
from starter.cli.subscription_changes import COMMANDS
from starter.cli.subscription_page import print_overview
from starter.cli.telling import CreditOption, Key, Preview, Wait, WhenOption, tell

if TYPE_CHECKING:
    from models.tables import Customer, SubscriptionRow
    from starter.client import RelanceClient
    from starter.diary import Fact
    from starter.overview import Overview
    from starter.reading import StateAnswer

app = typer.Typer(no_args_is_help=True)

_FIRST_PAYMENT: Final = {
    "processing": "under way",
    "action_required": "the customer has to confirm it with the bank, and has a mail with a link",
    "no_method": "there is no payment method to charge; the customer has a mail with a link to pay",
    "not_due": "nothing is to be paid yet",
    "over": "the subscription ended without one",
}


@app.callback()
def subscription() -> None:
    """Starting subscriptions, telling them what is asked, and how they stand."""


@app.command()
def start(
    *,
    customer: Annotated[str, typer.Option(help="Id or reference.")],
    plan: Annotated[str, typer.Option(help="Id or reference.")],
    reference: Annotated[
        str | None, typer.Option(help="Your own name for it; starting twice is once.")
    ] = None,
    subscription_id: Annotated[
        str | None, typer.Option("--id", help="sub_...; starting twice is once.")
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="Seats.")] = None,
    amount: Annotated[str | None, typer.Option(help="Another price than the plan's, as 19.00.")] = None,
    trial_days: Annotated[int | None, typer.Option(help="Another trial than the plan's; 0 for none.")] = None,
    payment_terms: PaymentTermsOption = None,
    policy: Annotated[str | None, typer.Option(help="Another dunning policy.")] = None,
    starts_on: Annotated[str | None, typer.Option(help="A later first day, as 2027-02-01.")] = None,
    early_start_requested: Annotated[
        bool,
        typer.Option(
            "--early-start-requested",
            help="A consumer asked that the service begin within the 14 days for withdrawal.",
        ),
    ] = False,
    with_coupon: Annotated[
        list[str] | None, typer.Option("--with-coupon", help="Code of a coupon on offer; may be repeated.")
    ] = None,
    percent_off: PercentOff = None,
    amount_off: AmountOff = None,
    for_periods: ForPeriods = None,
    coupon: Coupon = "discount",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Whether to wait for the first payment.")
    ] = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Start a subscription, and say what came of its first payment."""
    from starter.orders import NewSubscription

    discount = discount_of(percent_off, amount_off, for_periods, coupon)
    order = NewSubscription.model_validate(
        {
            "id": subscription_id,
            "reference": reference,
            "customer": customer,
            "plan": plan,
            "quantity": quantity,
            "amount": amount,
            "trial_days": trial_days,
            "dunning_policy": policy,
            "agreed": by_transfer(payment_terms),
            "starts_on": read_date(starts_on, field="starts_on") if starts_on else None,
            "early_start_requested": early_start_requested,
            "coupons": with_coupon or (),
            "discounts": () if discount is None else (discount,),
        }
    )

    async def work(client: RelanceClient) -> tuple[str, bool, str | None, str]:
        started = await client.start_subscription(order)
        if not wait:
            return started.subscription_id, started.is_new, None, ""
        payment = await client.wait_for_first_payment(started.subscription_id)
        return started.subscription_id, started.is_new, payment.outcome.value, payment.decline_words

    id_, is_new, payment, declined = with_client(work)
    if as_json:
        output.show_json({"id": id_, "is_new": is_new, "first_payment": payment})
        return
    output.say(f"Subscription {id_} {'started' if is_new else 'had been started before'}.")
    if payment is not None:
        output.say(f"First payment: {declined or _FIRST_PAYMENT.get(payment, payment.replace('_', ' '))}.")


@app.command("list")
def list_subscriptions(
    *,
    status: Annotated[str | None, typer.Option(help="active, past_due, unpaid ...")] = None,
    customer: Annotated[str | None, typer.Option(help="Id or reference of a customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest subscriptions."""

    async def work(client: RelanceClient) -> tuple[Sequence[SubscriptionRow], Mapping[str, Customer]]:
        rows = await client.list_subscriptions(status=status, customer=customer, limit=limit)
        return rows, await client.customers_of(rows)

    rows, customers = with_client(work)
    if as_json:
        output.show_json([row.model_dump() for row in rows])
        return
    output.show_table(
        [
            {
                "Subscription": row.reference or row.id,
                "Customer": customers[row.customer_id].name,
                "Plan": row.state.terms.plan_name,
                "Status": row.status,
                "Entitled": row.entitled,
                "Next invoice": words.local_date(row.next_billing_at, row.state.timezone),
                "Parked": row.state.parked.reason if row.state.parked else None,
            }
            for row in rows
        ],
        empty="No subscription.",
    )


@app.command()
def show(
    key: Key,
    *,
    diary: Annotated[bool, typer.Option("--diary", help="Everything that happened, in order.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the workflow too, not only the books.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Show how a subscription stands, what is owed, what was tried, and what happens next and why."""

    async def work(client: RelanceClient) -> tuple[Overview, list[Fact], StateAnswer | None]:
        return (
            await client.show(key),
            await client.diary(key) if diary else [],
            await client.state(key) if live else None,
        )

    view, facts, state = with_client(work)
    if as_json:
        extra = {**({"diary": facts} if diary else {}), **({"live": state} if live else {})}
        output.show_json({**view.model_dump(), **extra})
        return
    print_overview(view, state)
    for fact in facts:
        output.say(fact.line)


@app.command()
def cancel(
    key: Key,
    *,
    when: WhenOption = When.PERIOD_END,
    on: Annotated[
        str | None,
        typer.Option(help="With the first period that ends on or after this date, as 2027-05-10."),
    ] = None,
    credit_to: CreditOption = CreditTo.BALANCE,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """End a subscription: with the period, for a date, or now."""
    command = Cancel(
        command_id=command_id or new_id("cmd"),
        by=by,
        reason=reason,
        when=when,
        on=read_date(on, field="on") if on else None,
        credit_to=credit_to,
    )
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


@app.command()
def withdraw(
    key: Key,
    *,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """A consumer goes back on the contract within 14 days: the end at once, and the money back."""
    command = Withdraw(command_id=command_id or new_id("cmd"), by=by, reason=reason)
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


@app.command()
def keep(
    key: Key,
    *,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Take back a cancel or a pause that has not taken effect yet."""
    command = KeepSubscription(command_id=command_id or new_id("cmd"), by=by)
    tell(key, command, wait=wait, as_json=as_json)


@app.command()
def pause(
    key: Key,
    *,
    when: WhenOption = When.PERIOD_END,
    credit: Annotated[
        bool, typer.Option("--credit", help="With --when now: credit the unused days, and end access.")
    ] = False,
    credit_to: CreditOption = CreditTo.BALANCE,
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Pause a subscription; it keeps its anchor."""
    command = Pause(
        command_id=command_id or new_id("cmd"), by=by, when=when, credit=credit, credit_to=credit_to
    )
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


@app.command()
def resume(
    key: Key,
    *,
    issue: Annotated[
        list[str] | None,
        typer.Option(help="Parked for missed periods: the start of one to issue; the others are dropped."),
    ] = None,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Go on after a pause, after unpaid, or after being parked."""
    starts = tuple(read_date(text, field="issue") for text in issue) if issue else None
    command = Resume(command_id=command_id or new_id("cmd"), by=by, issue=starts)
    tell(key, command, wait=wait, as_json=as_json)


@app.command("retry-now")
def retry_now(
    key: Key,
    *,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Charge the oldest open invoice at once."""
    tell(key, RetryNow(command_id=command_id or new_id("cmd"), by=by), wait=wait, as_json=as_json)
    if not as_json:
        output.say(f"The charge is made in a moment: relance subscription show {key}")


for _verb, _change in COMMANDS.items():
    app.command(_verb)(_change)
