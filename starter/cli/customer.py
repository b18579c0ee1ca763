"""`relance customer`: who buys, and how they pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.cli import customer_cards, customer_portal, mandate, output, words
from starter.cli.features import print_features
from starter.cli.running import with_client

if TYPE_CHECKING:
    from models.tables import Customer, MailAddress, PaymentMethod, SubscriptionRow
    from starter.client import RelanceClient
    from starter.diary import Fact

app = typer.Typer(no_args_is_help=True)
app.add_typer(customer_cards.app, name="card")
app.registered_commands += customer_portal.app.registered_commands
app.add_typer(mandate.app, name="mandate")

Key = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id or reference.")]


@app.callback()
def customer() -> None:
    """Who buys, and how they pay."""


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option()],
    email: Annotated[list[str], typer.Option(help="Who receives the mails; several times for several.")],
    reference: Annotated[
        str | None, typer.Option(help="Your own name for them; creating twice is once.")
    ] = None,
    entity: Annotated[str | None, typer.Option(help="Who sells to them, where there are several.")] = None,
    kind: Annotated[
        str, typer.Option(help="consumer, non_professional, business or public_body.")
    ] = "consumer",
    locale: Annotated[
        str, typer.Option(help="Language of mails: fr, or en, which all others read too.")
    ] = "fr",
    timezone: Annotated[str, typer.Option(help="IANA zone in which their days begin.")] = "Europe/Paris",
    line1: Annotated[str, typer.Option(help="Street and number.")] = "",
    postal_code: Annotated[str, typer.Option()] = "",
    city: Annotated[str, typer.Option()] = "",
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")] = "FR",
    vat_number: Annotated[str, typer.Option()] = "",
    siren: Annotated[str, typer.Option()] = "",
    segment: Annotated[
        str, typer.Option(help="Your own word for a group of customers that dunning policies may be for.")
    ] = "",
    clock: Annotated[str | None, typer.Option(help="Test clock on which they live.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Create a customer, here and at the payment provider."""
    from starter.orders import NewCustomer

    place = {"line1": line1, "postal_code": postal_code, "city": city, "country": country}
    order = NewCustomer.model_validate(
        {
            "name": name,
            "contacts": [{"email": address, "name": name} for address in email],
            "reference": reference,
            "entity": entity,
            "kind": kind,
            "locale": locale,
            "timezone": timezone,
            "address": place if line1 or city else None,
            "vat_number": vat_number,
            "siren": siren,
            "segment": segment,
            "clock": clock,
        }
    )
    row = with_client(lambda client: client.create_customer(order))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"{row.name} is a customer: {f'{row.reference} ({row.id})' if row.reference else row.id}")


@app.command("set")
def set_facts(
    key: Key,
    *,
    segment: Annotated[
        str, typer.Option(help="Your own word for a group of customers; empty takes it away.")
    ],
    as_json: output.JsonFlag = False,
) -> None:
    """Change a customer's segment, for the chases that begin later. What they are taxed by: `relance tax set`."""
    from starter.orders import CustomerChange

    row = with_client(lambda client: client.change_customer(key, CustomerChange(segment=segment)))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(
            f"{row.name} is in the segment {row.segment}." if row.segment else f"{row.name} is in no segment."
        )


@app.command("list")
def list_customers(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest customers."""
    rows = with_client(lambda client: client.list_customers(limit=limit))
    if as_json:
        output.show_json([_facts(row) for row in rows])
        return
    output.show_table(
        [
            {
                "Customer": row.reference or row.id,
                "Name": row.name,
                "Kind": row.kind,
                "Language": row.locale,
                "Zone": row.timezone,
                "Clock": row.clock_id,
            }
            for row in rows
        ],
        empty="No customer yet. Create one: relance customer create --help",
    )


@app.command()
def show(
    key: Key,
    *,
    diary: Annotated[bool, typer.Option("--diary", help="Everything that happened, in order.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Show a customer with payment methods and subscriptions."""
    row, methods, subscriptions, facts, problems = with_client(lambda client: _read(client, key, diary=diary))
    if as_json:
        output.show_json(
            {
                **_facts(row),
                "mail_problems": [one.model_dump() for one in problems],
                "payment_methods": [method.model_dump() for method in methods],
                "subscriptions": [
                    {"id": s.id, "reference": s.reference, "status": s.status, "entitled": s.entitled}
                    for s in subscriptions
                ],
                **({"diary": facts} if diary else {}),
            }
        )
        return
    _print(row, methods, subscriptions, problems)
    for fact in facts:
        output.say(fact.line)


@app.command()
def entitlements(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Show what a customer may use, and how much of it is used and left; oldest subscription first."""
    found = with_client(lambda client: client.entitlements.of(key))
    if as_json:
        output.show_json(found)
        return
    if not found:
        output.say("No subscription.")
    for each in found:
        seats = f" x {each.quantity}" if each.quantity != 1 else ""
        period = f"{each.period_start} to {each.period_end} (not included)" if each.period_start else None
        output.show_fields(
            {
                "Status": each.status,
                "May use it": f"{'yes' if each.entitled else 'no'}: {each.reason}",
                "Access until": words.instant(each.access_until),
                "Period": period,
            },
            title=f"{each.reference or each.subscription_id}: {each.plan_name}{seats}",
        )
        print_features(each.features)


async def _read(
    client: RelanceClient, key: str, *, diary: bool
) -> tuple[
    Customer, Sequence[PaymentMethod], Sequence[SubscriptionRow], Sequence[Fact], Sequence[MailAddress]
]:
    row = await client.customer(key)
    return (
        row,
        await client.methods.list(row.id),
        await client.list_subscriptions(customer=row.id),
        await client.diary(row.id) if diary else [],
        await client.mail_problems(row.id),
    )


def _print(
    row: Customer,
    methods: Sequence[PaymentMethod],
    subscriptions: Sequence[SubscriptionRow],
    problems: Sequence[MailAddress],
) -> None:
    from starter.overview import in_words
    from starter.payment_methods import method_label

    default = next((m for m in methods if m.id == row.default_method_id), None)
    backup = next((m for m in methods if m.id == row.backup_method_id), None)
    output.show_fields(
        {
            "Id": row.id,
            "Reference": row.reference,
            "Mails to": ", ".join(contact["email"] for contact in row.contacts),
            "Reads no mail at": "; ".join(in_words(one) for one in problems) or None,
            "Address": ", ".join(row.address.lines()) if row.address else None,
            "Kind": row.kind,
            "Segment": row.segment,
            "Language": row.locale,
            "Zone": row.timezone,
            "Pays by": method_label(default) if default else "nothing yet: relance customer card set",
            "Backup": method_label(backup) if backup else None,
            "Clock": row.clock_id,
        },
        title=row.name,
    )
    output.show_table(
        [
            {
                "Subscription": s.reference or s.id,
                "Plan": s.state.terms.plan_name,
                "Status": s.status,
                "Entitled": s.entitled,
                "Next invoice": words.instant(s.next_billing_at),
            }
            for s in subscriptions
        ],
        empty="No subscription.",
    )


def _facts(row: Customer) -> dict[str, Any]:
    return row.model_dump()
