"""`relance plan migrate`: other prices for those who have a plan already. First a look, then the announcement."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import to_major
from starter.cli import output
from starter.cli.running import OPERATOR, By, with_client

if TYPE_CHECKING:
    from starter.client import RelanceClient
    from starter.plan_migrations import Affected


def migrate(
    plan: Annotated[str, typer.Argument(help="Id or reference of the plan that they have.")],
    *,
    to: Annotated[str, typer.Option(help="Id or reference of the plan with the new prices.")],
    announce: Annotated[
        bool, typer.Option("--announce", help="Tell the customers; without it nothing happens but a look.")
    ] = False,
    business_days: Annotated[int, typer.Option(min=1, max=365, help="Notice for businesses, in days.")] = 30,
    consumer_days: Annotated[
        int, typer.Option(min=1, max=365, help="Notice for consumers and non-professionals, in days.")
    ] = 60,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Move the subscribers of a plan to the prices of another: who is affected, by how much, and from when.

    With --announce each gets a mail with the old price, the new one, the date and the way out; the new price applies
    at the first renewal after the notice, and never within a commitment. Running it again tells only who was not told.
    """
    from billing.plan_migration import NoticeDays

    notice = NoticeDays(business=business_days, consumer=consumer_days)

    async def work(client: RelanceClient) -> list[Affected]:
        if announce:
            return await client.plan_migrations.announce(plan, to, notice=notice, by=by)
        return await client.plan_migrations.preview(plan, to, notice=notice)

    found = with_client(work)
    if as_json:
        output.show_json({"announced": announce, "subscriptions": [one.model_dump() for one in found]})
        return
    output.show_table([_line(one) for one in found], empty="Nobody has this plan.")
    for sentence in _summary(found, announced=announce):
        output.say(sentence)


def _line(one: Affected) -> output.Row:
    return {
        "Subscription": one.reference or one.subscription_id,
        "Buyer": one.customer_kind.value.replace("_", " "),
        "Today": _amount(one.old_minor, one.currency),
        "Then": _amount(one.new_minor, one.currency),
        "From": str(one.from_on) if one.from_on and one.left_out is None else None,
        "Stays as it is": one.left_out,
    }


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None else f"{to_major(minor, currency)} {currency}"


def _summary(found: list[Affected], *, announced: bool) -> list[str]:
    moved = [one for one in found if one.left_out is None]
    sums: Counter[str] = Counter()
    for one in moved:
        sums[one.currency] += one.difference_minor
    together = ", ".join(f"{_signed(minor, currency)} {currency}" for currency, minor in sums.items())
    verb = "told" if announced else "affected"
    told = f"{len(moved)} {verb}, {len(found) - len(moved)} left out."
    if not moved:
        return [told]
    each = f"Together {together} a period, with VAT, before discounts and without usage."
    return [told, each] if announced else [told, each, "Nothing was changed. Tell them: add --announce."]


def _signed(minor: int, currency: str) -> str:
    return f"{'+' if minor >= 0 else ''}{to_major(minor, currency)}"
