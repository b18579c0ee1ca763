"""`relance dunning promise | pause | resume | skip | extend | retry`: a person decides about a chase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.steering import Directive, Extend, Hold, Promise, Release, Skip
from models.ids import new_id
from starter.cli import output
from starter.cli.inputs import read_date
from starter.cli.running import OPERATOR, By, CommandId, with_client

if TYPE_CHECKING:
    from activities.books.steering import ChaseSteered
    from starter.client import RelanceClient

Target = Annotated[
    str, typer.Argument(metavar="INVOICE", help="Id or number; with --customer a customer's id or reference.")
]
OfCustomer = Annotated[bool, typer.Option("--customer", help="Every chase of a customer.")]
Reason = Annotated[str, typer.Option(help="For the record.")]


def promise(
    target: Target,
    *,
    on: Annotated[str, typer.Option(help="Date on which the customer pays, as 2027-02-15.")],
    reason: Reason = "",
    of_customer: OfCustomer = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Note a promise to pay: no charge, mail or end before its date; on it one charge, where the method allows it.

    The charge is one of the policy's retries. The customer is told of the date, and of the charge if there is one.
    """
    directive = Promise(
        command_id=command_id or new_id("cmd"), by=by, reason=reason, on=read_date(on, field="on")
    )
    _steer(target, directive, of_customer=of_customer, as_json=as_json)


def pause(
    target: Target,
    *,
    until: Annotated[str, typer.Option(help="Date before which nothing happens.")],
    reason: Reason = "",
    of_customer: OfCustomer = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Pause the chase until a date: no charge, mail or end. What falls into it is left out."""
    directive = Hold(
        command_id=command_id or new_id("cmd"), by=by, reason=reason, until=read_date(until, field="until")
    )
    _steer(target, directive, of_customer=of_customer, as_json=as_json)


def resume(
    target: Target,
    *,
    reason: Reason = "",
    of_customer: OfCustomer = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """End a pause or a promise before its date. Later steps keep their days."""
    directive = Release(command_id=command_id or new_id("cmd"), by=by, reason=reason)
    _steer(target, directive, of_customer=of_customer, as_json=as_json)


def skip(
    target: Target,
    *,
    reason: Reason = "",
    of_customer: OfCustomer = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Leave out the next charge or reminder. Neither the last notice nor the end can be left out."""
    directive = Skip(command_id=command_id or new_id("cmd"), by=by, reason=reason)
    _steer(target, directive, of_customer=of_customer, as_json=as_json)


def extend(
    target: Target,
    *,
    to: Annotated[str, typer.Option(help="Date on which the chase ends instead.")],
    reason: Reason = "",
    of_customer: OfCustomer = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Move the end of the chase, and of the service with it, to a later date."""
    directive = Extend(
        command_id=command_id or new_id("cmd"), by=by, reason=reason, end_on=read_date(to, field="end_on")
    )
    _steer(target, directive, of_customer=of_customer, as_json=as_json)


def retry(
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")],
    *,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Charge one invoice at once; its schedule stays as it is."""
    taken = with_client(lambda client: client.steering.retry(invoice, command_id=command_id, by=by))
    if as_json:
        output.show_json(taken.model_dump())
    else:
        output.say(f"The charge is made in a moment: relance invoice show {invoice}")


COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "promise": promise,
    "pause": pause,
    "resume": resume,
    "skip": skip,
    "extend": extend,
    "retry": retry,
}
"""By the verb under which `relance dunning` has them. To give up: `relance invoice write-off`."""


def _steer(target: str, directive: Directive, *, of_customer: bool, as_json: bool) -> None:
    async def work(client: RelanceClient) -> list[ChaseSteered]:
        if of_customer:
            return await client.steering.steer_customer(target, directive)
        return [await client.steering.steer(target, directive)]

    done = with_client(work)
    if as_json:
        output.show_json([one.model_dump() for one in done])
        return
    for one in done:
        output.say(f"{one.invoice_id}: next {one.report.step.why.sentence()}")
