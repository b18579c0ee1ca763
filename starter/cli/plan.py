"""`relance plan`: what is on offer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from pydantic import ValidationError

from billing.errors import InvalidInput
from billing.prices import Charging, Price, PricingModel
from starter.cli import output, words
from starter.cli.paying import PaymentTermsOption, by_transfer
from starter.cli.plan_migration import migrate
from starter.cli.plan_signup import signup_expire, signup_link
from starter.cli.running import with_client

if TYPE_CHECKING:
    from models.tables import Plan
    from starter.orders import NewPlan

app = typer.Typer(no_args_is_help=True)
app.command()(migrate)
app.command("signup-link")(signup_link)
app.command("signup-expire")(signup_expire)

PLANS: Final = "plan"
SELLER: Final = "seller"
"""Tables of a catalogue, such as the demo's: only the plans are loaded from it."""


@app.callback()
def plan() -> None:
    """What is on offer."""


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="As customers read it.")],
    amount: Annotated[str, typer.Option(help="Price of one interval in major units, as 29.00.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code, as EUR.")],
    every: Annotated[
        str, typer.Option(help="1month, 2week, 1year ..., or monthly, bimonthly, quarterly, annual.")
    ] = "monthly",
    reference: Annotated[
        str | None, typer.Option(help="Your own name for it; creating twice is once.")
    ] = None,
    entity: Annotated[str | None, typer.Option(help="Who sells it, where there are several.")] = None,
    per_seat: Annotated[bool, typer.Option("--per-seat", help="The price is for each seat.")] = False,
    tax_included: Annotated[bool, typer.Option("--tax-included", help="The price contains the VAT.")] = False,
    alignment: Annotated[str, typer.Option(help="anniversary or calendar.")] = "anniversary",
    trial_days: Annotated[int, typer.Option(help="Days before the first payment.")] = 0,
    payment_terms: PaymentTermsOption = None,
    policy: Annotated[str | None, typer.Option(help="Dunning policy, where not the interval's.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Create a plan with one price. Several prices: write a file and `relance plan load` it."""
    order = _order(
        {
            "name": name,
            "amount": amount,
            "currency": currency,
            "every": every,
            "reference": reference,
            "entity": entity,
            "per_seat": per_seat,
            "tax_included": tax_included,
            "alignment": alignment,
            "trial_days": trial_days,
            "dunning_policy": policy,
            **by_transfer(payment_terms),
        }
    )
    row = with_client(lambda client: client.create_plan(order))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The plan {row.name} is on offer: {row.reference or row.id}")


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="TOML with a table for each plan.", exists=True, dir_okay=False)
    ],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """Create the plans of a file, all or none; those that are there already stay as they are.

    Each [[plan]] has name, currency, every and amount (or [[plan.prices]]), and
    the other options of `plan create` with underscores. A [seller] is left
    alone: `relance entity create` makes one. Any other table is refused.
    """
    content = _read(file)
    orders = [_named(number, entry) for number, entry in enumerate(content[PLANS], start=1)]
    rows = with_client(lambda client: client.create_plans(orders))
    if as_json:
        output.show_json([_facts(row) for row in rows])
        return
    output.show_table([_line(row) for row in rows])
    if SELLER in content:
        output.say(f"The [{SELLER}] of the file was left alone: relance entity create makes one.")


@app.command("list")
def list_plans(
    *,
    archived: Annotated[bool, typer.Option("--all", help="Those no longer on offer too.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """List the plans on offer."""
    rows = with_client(lambda client: client.list_plans(archived=archived))
    if as_json:
        output.show_json([_facts(row) for row in rows])
    else:
        output.show_table(
            [_line(row) for row in rows], empty="No plan yet. Create one: relance plan create --help"
        )


@app.command()
def archive(
    plan: Annotated[str, typer.Argument(help="Id or reference.")], *, as_json: output.JsonFlag = False
) -> None:
    """Take a plan off the offer. Subscriptions that have it keep it."""
    row = with_client(lambda client: client.archive_plan(plan))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The plan {row.reference or row.id} is no longer on offer.")


@app.command()
def restore(
    plan: Annotated[str, typer.Argument(help="Id or reference.")], *, as_json: output.JsonFlag = False
) -> None:
    """Put a plan that was archived back on offer."""
    from starter.orders import PlanChange

    row = with_client(lambda client: client.update_plan(plan, PlanChange(archived=False)))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The plan {row.reference or row.id} is on offer again.")


def _read(file: Path) -> dict[str, Any]:
    """A file with a [[plan]] at least, and nothing that would be passed over in silence."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"{file} is no TOML: {problem}", field="file") from None
    unknown = sorted(content.keys() - {PLANS, SELLER})
    if unknown:
        raise InvalidInput(
            f"{file} has {', '.join(unknown)}, which is not loaded. Leave in it only a [[{PLANS}]] for each plan.",
            field="file",
        )
    plans = content.get(PLANS)
    if not isinstance(plans, list) or not plans:
        raise InvalidInput(f"{file} has no [[{PLANS}]].", field="file")
    return content


def _named(number: int, entry: Mapping[str, Any]) -> NewPlan:
    """A plan of a file; its errors say which one it is."""
    name = entry.get("reference") or entry.get("name") or f"number {number}"
    try:
        order = _order(entry)
        order.terms("plan_new")
    except InvalidInput as error:
        raise InvalidInput(f"Plan {name}: {error.message}", field=error.field) from None
    except ValidationError as error:
        problem = output.invalid_input(error)
        raise InvalidInput(f"Plan {name}: {problem.message}", field=problem.field) from None
    return order


def _order(entry: Mapping[str, Any]) -> NewPlan:
    from starter.orders import NewPlan

    return NewPlan.model_validate(dict(entry))


def _facts(row: Plan) -> Mapping[str, Any]:
    return row.model_dump()


def _line(row: Plan) -> output.Row:
    terms = row.terms
    prices = " + ".join(_price(price, row.currency) for price in terms.prices)
    return {
        "Plan": row.reference or row.id,
        "Name": row.name,
        "Every": terms.interval.in_words,
        "Price": prices,
        "Tax": "included" if terms.tax_included else "on top",
        "Trial": f"{terms.trial_days} days" if terms.trial_days else None,
        "Archived": words.instant(row.archived_at),
    }


def _price(price: Price, currency: str) -> str:
    """A price in short; of tiers the first one's."""
    first = price.tiers[0].unit_amount if price.tiers else price.unit_amount
    words = [f"{first} {currency}"]
    if price.model is PricingModel.PACKAGE:
        words.append(f"per {price.package_size}")
    elif price.model is not PricingModel.FLAT:
        words.append("a unit" if price.is_metered else "a seat")
    if price.is_metered:
        words.append(f"of {price.meter}")
    if price.tiers:
        words.append(f"in the first of {len(price.tiers)} tiers")
    if price.charging is Charging.ONCE:
        words.append("once")
    return " ".join(words)
