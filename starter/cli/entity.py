"""`relance entity`: the legal entities that sell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.cli import output
from starter.cli.running import with_client

if TYPE_CHECKING:
    from models.tables import LegalEntity

app = typer.Typer(no_args_is_help=True)


@app.callback()
def entity() -> None:
    """The legal entities that sell."""


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="As printed on invoices.")],
    sender: Annotated[str, typer.Option(help="Mail address that mails come from.")],
    line1: Annotated[str, typer.Option(help="Street and number.")],
    postal_code: Annotated[str, typer.Option()] = "",
    city: Annotated[str, typer.Option()],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")] = "FR",
    line2: Annotated[str, typer.Option()] = "",
    legal_form: Annotated[str, typer.Option()] = "",
    capital: Annotated[str, typer.Option(help='As printed: "10 000 EUR".')] = "",
    siren: Annotated[str, typer.Option()] = "",
    registration: Annotated[str, typer.Option(help='As printed: "RCS Paris".')] = "",
    vat_number: Annotated[str, typer.Option()] = "",
    vat_on_debits: Annotated[
        bool, typer.Option("--vat-on-debits", help="VAT is due on invoicing, not when paid.")
    ] = False,
    vat_percent: Annotated[
        str | None,
        typer.Option(help="Instead of the standard rate of its place; needed outside the European Union."),
    ] = None,
    small_business: Annotated[
        bool, typer.Option("--small-business", help="Exempt: in France franchise en base, art. 293 B.")
    ] = False,
    oss: Annotated[
        bool, typer.Option("--oss", help="Tax consumers of other member states at their rates at once.")
    ] = False,
    timezone: Annotated[str, typer.Option(help="IANA zone of its documents.")] = "Europe/Paris",
    iban: Annotated[str, typer.Option(help="Of the account to which transfers go.")] = "",
    bic: Annotated[str, typer.Option()] = "",
    creditor_id: Annotated[str, typer.Option(help="SEPA creditor identifier, ICS; debits need it.")] = "",
    invoice_series: Annotated[str, typer.Option()] = "F",
    credit_series: Annotated[str, typer.Option()] = "A",
    locale: Annotated[str, typer.Option(help="fr or en.")] = "fr",
    entity_id: Annotated[
        str | None, typer.Option("--id", help="ent_...; with it, creating twice is creating once.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Create a seller. Plans and customers belong to one."""
    from starter.orders import NewEntity

    order = NewEntity.model_validate(
        {
            "id": entity_id,
            "name": name,
            "sender": sender,
            "address": {
                "line1": line1,
                "line2": line2,
                "postal_code": postal_code,
                "city": city,
                "country": country,
            },
            "legal_form": legal_form,
            "capital": capital,
            "siren": siren,
            "registration": registration,
            "vat_number": vat_number,
            "vat_on_debits": vat_on_debits,
            "vat_percent": vat_percent,
            "small_business": small_business,
            "oss_opted_in": oss,
            "timezone": timezone,
            "iban": iban,
            "bic": bic,
            "creditor_id": creditor_id,
            "invoice_series": invoice_series,
            "credit_series": credit_series,
            "locale": locale,
        }
    )
    row = with_client(lambda client: client.create_entity(order))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"{row.name} sells from now on: {row.id}")


@app.command("list")
def list_entities(*, as_json: output.JsonFlag = False) -> None:
    """List the sellers."""
    rows = with_client(lambda client: client.list_entities())
    if as_json:
        output.show_json([_facts(row) for row in rows])
        return
    output.show_table(
        [{"Id": row.id, "Name": row.name, "VAT": _regime(row), "Zone": row.timezone} for row in rows],
        empty="No seller yet. Create one: relance entity create --help",
    )


Entity = Annotated[str | None, typer.Argument(metavar="ENTITY", help="Id; not needed where there is one.")]


@app.command()
def check(key: Entity = None, *, as_json: output.JsonFlag = False) -> None:
    """Say what a seller's documents would lack of what the law wants. Exit status 1 if anything."""
    found = with_client(lambda client: client.documents.standing(key))
    if as_json:
        output.show_json(found)
    elif found.missing:
        output.show_table(
            [{"Missing": one.what, "By": one.source, "Remedy": one.remedy} for one in found.missing]
        )
    else:
        output.say(f"{found.name} has every mention{' and is live' if found.is_live else ''}.")
    if found.missing:
        raise typer.Exit(output.REFUSED)


@app.command("go-live")
def go_live(key: Entity = None, *, as_json: output.JsonFlag = False) -> None:
    """Let a seller bill for real; refused while a mention is missing."""
    row = with_client(lambda client: client.documents.go_live(key))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"{row.name} is live since {row.live_since:%Y-%m-%d}.")


@app.command()
def update(
    key: Entity = None,
    *,
    name: Annotated[str | None, typer.Option(help="As printed on invoices.")] = None,
    legal_form: Annotated[str | None, typer.Option()] = None,
    capital: Annotated[str | None, typer.Option(help='As printed: "10 000 EUR".')] = None,
    siren: Annotated[str | None, typer.Option()] = None,
    registration: Annotated[str | None, typer.Option(help='As printed: "RCS Paris".')] = None,
    vat_number: Annotated[str | None, typer.Option()] = None,
    vat_on_debits: Annotated[bool | None, typer.Option("--vat-on-debits/--no-vat-on-debits")] = None,
    line1: Annotated[
        str | None, typer.Option(help="Street and number; with it goes a whole address.")
    ] = None,
    line2: Annotated[str, typer.Option()] = "",
    postal_code: Annotated[str, typer.Option()] = "",
    city: Annotated[str, typer.Option()] = "",
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")] = "FR",
    iban: Annotated[str | None, typer.Option(help="Of the account to which transfers go.")] = None,
    bic: Annotated[str | None, typer.Option()] = None,
    creditor_id: Annotated[
        str | None, typer.Option(help="SEPA creditor identifier, ICS; debits need it.")
    ] = None,
    sender: Annotated[str | None, typer.Option(help="Mail address that mails come from.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Change what a seller's documents show, from the next one on."""
    from starter.orders import EntityChange

    place = {
        "line1": line1,
        "line2": line2,
        "postal_code": postal_code,
        "city": city,
        "country": country,
    }
    change = EntityChange.model_validate(
        {
            "name": name,
            "legal_form": legal_form,
            "capital": capital,
            "siren": siren,
            "registration": registration,
            "vat_number": vat_number,
            "vat_on_debits": vat_on_debits,
            "address": None if line1 is None else place,
            "iban": iban,
            "bic": bic,
            "creditor_id": creditor_id,
            "sender": sender,
        }
    )
    if not change.given():
        raise output.WrongUsage("Say what to change: see relance entity update --help.", field="name")
    if line1 is None and (city or postal_code or line2):
        raise output.WrongUsage("A new address needs its street too: --line1.", field="line1")
    row = with_client(lambda client: client.documents.update_entity(key, change))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"{row.name} is changed. Documents that were issued stay as they are.")


def _regime(row: LegalEntity) -> str:
    if row.small_business:
        return "exempt as a small business"
    own = "by the table" if row.vat_percent is None else f"{row.vat_percent.normalize():f} %"
    return f"{own}, one stop shop" if row.oss_opted_in else own


def _facts(row: LegalEntity) -> Mapping[str, Any]:
    return row.model_dump()
