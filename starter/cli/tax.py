"""`relance tax`: who is taxed how and why, VAT numbers, the one stop shop, exchange rates."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.cli import output
from starter.cli.inputs import read_date
from starter.cli.running import with_client

if TYPE_CHECKING:
    from activities.books.one_stop_shop import Declared, OssReturn
    from starter.client import RelanceClient
    from starter.taxes import CrossBorderSales, NumberChecked

app = typer.Typer(no_args_is_help=True)

Customer = Annotated[str, typer.Option("--customer", help="Id or reference.")]
Entity = Annotated[str | None, typer.Option("--entity", help="Id of the seller, where there are several.")]
Clock = Annotated[str | None, typer.Option("--clock", help="Test clock; by default real life.")]


@app.callback()
def tax() -> None:
    """VAT: who is taxed how and why."""


@app.command()
def show(
    *,
    customer: Customer,
    on: Annotated[str | None, typer.Option(help="Date of issue, as 2027-01-31; by default today.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show how a customer is taxed, and why."""
    from starter import tax_words

    day = None if on is None else read_date(on, field="on")
    explained = with_client(lambda client: client.taxes.explain(customer, on=day))
    if as_json:
        output.show_json({**explained.model_dump(), "why": tax_words.why(explained)})
        return
    output.say(f"On {explained.on}: {tax_words.what(explained.treatment)}")
    for sentence in tax_words.why(explained):
        output.say(f"- {sentence}")


@app.command("set")
def set_facts(
    *,
    customer: Customer,
    kind: Annotated[
        str | None, typer.Option(help="consumer, non_professional, business or public_body.")
    ] = None,
    vat_number: Annotated[str | None, typer.Option(help="Empty takes it away.")] = None,
    siren: Annotated[str | None, typer.Option(help="Empty takes it away.")] = None,
    line1: Annotated[str, typer.Option(help="Street and number; with it goes a whole address.")] = "",
    line2: Annotated[str, typer.Option()] = "",
    postal_code: Annotated[str, typer.Option()] = "",
    city: Annotated[str, typer.Option()] = "",
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")] = "FR",
    card_country: Annotated[str | None, typer.Option(help="Country of their card, as evidence.")] = None,
    ip_country: Annotated[str | None, typer.Option(help="Country of their address on the net.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Change what a customer is taxed by, from the next document on. A new number is checked."""
    from starter.orders import TaxFactsChange

    place = {
        "line1": line1, "line2": line2, "postal_code": postal_code, "city": city, "country": country,
    }  # fmt: skip
    evidence = {"card_country": card_country, "ip_country": ip_country}
    change = TaxFactsChange.model_validate(
        {
            "kind": kind,
            "vat_number": vat_number,
            "siren": siren,
            "address": place if line1 or city else None,
            "evidence": evidence if any(evidence.values()) else None,
        }
    )
    row = with_client(lambda client: client.taxes.change_facts(customer, change))
    if as_json:
        output.show_json(row.model_dump())
    else:
        output.say(f"Changed. See what follows: relance tax show --customer {row.reference or row.id}")


@app.command()
def check(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="VAT number; spaces do not matter.")],
    *,
    entity: Entity = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Check a VAT number: its digits, and the register where RELANCE_VIES is on. Nothing is kept."""
    checked = with_client(lambda client: client.taxes.check_number(number, entity=entity))
    if as_json:
        output.show_json(checked)
    else:
        output.say(_said(checked))


@app.command()
def recheck(
    *,
    customer: Annotated[str | None, typer.Option("--customer", help="One; by default all.")] = None,
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since a register last answered.")
    ] = 30,
    as_json: output.JsonFlag = False,
) -> None:
    """Ask the register again about customers' VAT numbers, and keep its answers as proof."""
    checked = with_client(lambda client: _recheck(client, customer, older_than))
    if as_json:
        output.show_json(checked)
        return
    for one in checked:
        output.say(f"{one.customer_id}: {_said(one)}")
    output.say(f"{len(checked)} checked, {sum(one.needs_review for one in checked)} to look at.")


@app.command()
def oss(
    *,
    entity: Entity = None,
    clock: Clock = None,
    year: Annotated[int | None, typer.Option(help="By default this year.", min=2021, max=9998)] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show sales to consumers of other member states: the threshold, and the returns of a year by quarter."""
    sales, returns = with_client(lambda client: _oss(client, entity, clock, year))
    if as_json:
        output.show_json({"cross_border_sales": sales, "returns": returns})
        return
    output.show_table(
        [
            {
                "Year": str(one.year),
                "Net in EUR": _money(one.net_eur_minor),
                "Beyond 10,000.00": one.net_eur_minor > _THRESHOLD,
            }
            for one in sales
        ],
        title="Sales to consumers of other member states",
    )
    rows = [
        _oss_row(one, line, what)
        for one in returns
        for what, lines in (("sales", one.sales), ("correction", one.corrections))
        for line in lines
    ]
    output.show_table(rows, title="One stop shop", empty="Nothing to declare in the one stop shop.")


@app.command()
def regime(
    *,
    entity: Entity = None,
    small_business: Annotated[bool | None, typer.Option("--small-business/--no-small-business")] = None,
    oss_opted_in: Annotated[
        bool | None, typer.Option("--oss/--no-oss", help="Tax consumers elsewhere at their rates at once.")
    ] = None,
    vat_percent: Annotated[
        str | None, typer.Option(help="Instead of the standard rate of its place, or: table.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Change how a seller is taxed, from its next document on."""
    of_table = vat_percent == "table"
    percent = None if vat_percent is None or of_table else _percent(vat_percent)
    row = with_client(
        lambda client: client.taxes.set_regime(
            entity,
            small_business=small_business,
            oss_opted_in=oss_opted_in,
            vat_percent=percent,
            rates_of_table=of_table,
        )
    )
    if as_json:
        output.show_json(row.model_dump())
        return
    own = "by the table" if row.vat_percent is None else f"{row.vat_percent.normalize():f} %"
    output.show_fields(
        {"Standard rate": own, "Small business": row.small_business, "One stop shop": row.oss_opted_in},
        title=row.name,
    )


@app.command()
def receipts(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2027-01.")],
    *,
    entity: Entity = None,
    clock: Clock = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show the VAT on what was received in a month, less what was given back or taken back by banks.

    It is what a seller of services declares, unless its VAT is due on invoicing.
    """
    from billing.money import to_major

    day = read_date(f"{month}-01", field="month")
    rows = with_client(lambda client: client.taxes.receipts(day, entity=entity, clock=clock))
    if as_json:
        output.show_json(rows)
        return
    output.show_table(
        [
            {
                "Currency": row.currency,
                "Category": row.category,
                "Rate": f"{row.percent.normalize():f} %",
                "Net": to_major(row.base_minor, row.currency),
                "VAT": to_major(row.vat_minor, row.currency),
                "Of it taken back": to_major(row.taken_back_minor, row.currency),
            }
            for row in rows
        ],
        empty="Nothing was received.",
    )


@app.command("rates-load")
def load_rates(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="eurofxref-hist.csv or eurofxref-daily.xml of the European bank.",
        ),
    ],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """Load exchange rates of the European Central Bank, for invoices in other currencies than EUR."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    count = with_client(lambda client: client.taxes.load_exchange_rates(text, source=f"ECB, {file.name}"))
    if as_json:
        output.show_json({"new": count})
    else:
        output.say(f"{count} new rates.")


_THRESHOLD = 10_000_00


async def _recheck(client: RelanceClient, customer: str | None, older_than: int) -> list[NumberChecked]:
    if customer is not None:
        return [await client.taxes.check_customer(customer)]
    return await client.taxes.check_customers(older_than_days=older_than)


async def _oss(
    client: RelanceClient, entity: str | None, clock: str | None, year: int | None
) -> tuple[list[CrossBorderSales], list[OssReturn]]:
    from activities.books.one_stop_shop import Quarter

    this_year = year or (await client.taxes.today(clock)).year
    sales = await client.taxes.cross_border_sales(
        years=(this_year - 1, this_year), entity=entity, clock=clock
    )
    quarters = [Quarter(year=this_year, number=number) for number in (1, 2, 3, 4)]
    returns = [await client.taxes.oss_return(quarter, entity=entity, clock=clock) for quarter in quarters]
    return sales, [one for one in returns if one.sales or one.corrections]


def _oss_row(one: OssReturn, line: Declared, what: str) -> dict[str, Any]:
    from billing.money import to_major

    return {
        "Return": one.quarter,
        "What": what if what == "sales" else f"{what} of {line.quarter}",
        "State": line.state,
        "Rate": f"{line.percent.normalize():f} %",
        "Net": f"{to_major(line.base_minor, line.currency)} {line.currency}",
        "Net in EUR": _money(line.base_eur_minor),
        "VAT in EUR": _money(line.vat_eur_minor),
    }


def _said(checked: NumberChecked) -> str:
    from activities.vat_checks import OFFLINE
    from billing.tax_numbers import state_of_vat_number

    if state_of_vat_number(checked.number) is None:
        return f"{checked.number} is no number of a member state: it changes no tax."
    reply, verdict = (
        checked.reply,
        "counts as valid" if checked.counts_as_valid else "does not count as valid",
    )
    if reply.detail:
        return f"{checked.number} {verdict}: {reply.detail}."
    by = "its check digits" if reply.source == OFFLINE else f"{reply.source.upper()} {reply.name}".strip()
    return f"{checked.number} {verdict}, by {by}" + (
        f" (consultation {reply.consultation})." if reply.consultation else "."
    )


def _money(amount_minor: int | None) -> str:
    return "rate not known" if amount_minor is None else f"{Decimal(amount_minor) / 100:,.2f}"


def _percent(text: str) -> Decimal:
    from decimal import InvalidOperation

    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal(-1)
    if not 0 <= percent <= 100:  # noqa: PLR2004
        raise output.WrongUsage(f"{text!r} is no percentage. Give one as 20, or table.", field="vat_percent")
    return percent
