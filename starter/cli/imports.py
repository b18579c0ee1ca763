"""`relance import`: customers and running subscriptions from another billing system. First a look, then live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.money import to_major
from starter.cli import output
from starter.cli.running import OPERATOR, By, with_client

if TYPE_CHECKING:
    from starter.client import RelanceClient
    from starter.importing.files import Problem
    from starter.importing.going_live import WentLive
    from starter.importing.staging import Staged
    from starter.importing.undoing import Undone
    from starter.imports import BatchShown, ToCome

app = typer.Typer(help=__doc__, no_args_is_help=True)
Batch = Annotated[str, typer.Argument(help="Id of the batch, imp_...")]
_LINES_AT_MOST: Final = 20


@app.command("stage")
def stage(
    folder: Annotated[Path, typer.Argument(help="With the files that docs/import.md describes.")],
    *,
    source: Annotated[
        str, typer.Option("--from", help="csv: files written for Relance. stripe: exports of its Dashboard.")
    ] = "csv",
    entity: Annotated[
        str | None, typer.Option(help="Id of the legal entity, where there are several.")
    ] = None,
    clock: Annotated[
        str | None, typer.Option(help="Test clock on which all of it is to live: a rehearsal.")
    ] = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Look at the files: what each row becomes, its next invoice, and every problem. Bills and mails nothing.

    Staged again after the files were mended, only what differs is looked at as new. Status 1 where rows are refused.
    """
    from starter.imports import source_named

    asked = source_named(source)

    async def work(client: RelanceClient) -> tuple[Staged, BatchShown | None]:
        staged = await client.imports.stage(folder, source=asked, entity=entity, clock=clock, by=by)
        shown = None if staged.batch_id is None else await client.imports.show(staged.batch_id)
        return staged, shown

    staged, shown = with_client(work)
    if as_json:
        output.show_json({**staged.model_dump(), "to_come": [] if shown is None else list(shown.to_come)})
    else:
        _say_staged(staged, shown)
    if staged.refused:
        raise typer.Exit(output.REFUSED)


def _say_staged(staged: Staged, shown: BatchShown | None) -> None:
    if shown is not None:
        _show_to_come(shown.to_come)
    _show_problems(staged.problems)
    removed = f", {staged.removed} removed" if staged.removed else ""
    refused = f" {staged.refused} refused." if staged.refused else ""
    output.say(f"{staged.created} created, {staged.changed} changed, {staged.same} same{removed}.{refused}")
    if staged.batch_id is None:
        output.say("Everything is live already.")
    elif staged.refused:
        output.say(
            f"Nothing is billed yet. Mend the files and stage them again; this batch is {staged.batch_id}."
        )
    else:
        output.say(f"Nothing is billed yet. Make it live: relance import go-live {staged.batch_id}")


@app.command("show")
def show(
    batch: Annotated[str | None, typer.Argument(help="Id of one; without it all of them.")] = None,
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """Show the batches, or one with every problem and the next invoice of each of its subscriptions."""
    if batch is None:
        _show_all(as_json=as_json)
        return
    found = with_client(lambda client: client.imports.show(batch))
    if as_json:
        output.show_json(found)
        return
    one = found.batch
    output.show_fields(
        {
            "Batch": one.id,
            "State": one.state.value.replace("_", " "),
            "From": f"{one.source}, {one.folder}",
            "Staged": f"{one.staged_at:%Y-%m-%d %H:%M} UTC",
            "Live": None if one.live_at is None else f"{one.live_at:%Y-%m-%d %H:%M} UTC",
            **{
                kind.replace("_", " ").capitalize(): ", ".join(f"{n} {state}" for state, n in states.items())
                for kind, states in found.counts.items()
            },
        }
    )
    _show_to_come(found.to_come, whole=True)
    _show_problems(found.problems, whole=True)


def _show_all(*, as_json: bool) -> None:
    batches = with_client(lambda client: client.imports.list())
    if as_json:
        output.show_json(list(batches))
        return
    rows = [
        {
            "Batch": one.id,
            "State": one.state.value.replace("_", " "),
            "From": one.source,
            "Folder": one.folder,
            "Staged": f"{one.staged_at:%Y-%m-%d %H:%M}",
        }
        for one in batches
    ]
    output.show_table(rows, empty="Nothing was imported yet. Begin with: relance import stage FOLDER")


@app.command("go-live")
def go_live(
    batch: Batch,
    *,
    without_refused: Annotated[
        bool, typer.Option("--without-refused", help="Leave rows with problems behind.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Make a batch live: from now on its subscriptions are billed here, each from its next period.

    All is looked at once more before. Run it again where it broke off: it goes on.
    """
    found: WentLive = with_client(
        lambda client: client.imports.go_live(batch, without_refused=without_refused)
    )
    if as_json:
        output.show_json(found)
        return
    _show_problems(found.problems)
    live = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in found.live.items())
    output.say(f"Live: {live or 'nothing'}.{f' {found.refused} refused.' if found.refused else ''}")
    output.say(f"While nothing was billed it can be taken back: relance import undo {found.batch_id}")


@app.command("undo")
def undo(batch: Batch, *, as_json: output.JsonFlag = False) -> None:
    """Take a batch back: possible until its first invoice. Its customers hear nothing of it."""
    found: Undone = with_client(lambda client: client.imports.undo(batch))
    if as_json:
        output.show_json(found)
        return
    taken = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in found.taken_back.items())
    output.say(f"Taken back: {taken or 'nothing was live'}.")
    if found.kept:
        output.say(f"Billed at that very moment, and live: {', '.join(found.kept)}.")


def _show_to_come(to_come: tuple[ToCome, ...], *, whole: bool = False) -> None:
    if not to_come:
        return
    shown = to_come if whole else to_come[:_LINES_AT_MOST]
    output.show_table([_next(one) for one in shown], title="Next invoices")
    if len(shown) < len(to_come):
        output.say(f"And {len(to_come) - len(shown)} more: relance import show BATCH")


def _next(one: ToCome) -> output.Row:
    invoice = one.next_invoice or {}
    currency = invoice.get("currency", "")
    lines = "; ".join(
        f"{line['description'] or line['plan_name']} {to_major(line['amount_minor'], currency)}"
        for line in invoice.get("lines", ())
    )
    total = f"{to_major(invoice['total_minor'], currency)} {currency}" if invoice else None
    due = f"{to_major(invoice['due_minor'], currency)} {currency}" if invoice else None
    return {
        "Line": f"{one.file}:{one.line}",
        "Subscription": one.reference,
        "On": invoice.get("on"),
        "Lines": lines or one.why_none,
        "With VAT": total,
        "After balance": due,
    }


def _show_problems(problems: tuple[Problem, ...], *, whole: bool = False) -> None:
    shown = problems if whole else problems[:_LINES_AT_MOST]
    for one in shown:
        field = f" {one.field}:" if one.field else ""
        output.say(f"{one.file}:{one.line}:{field} {one.message}")
    if len(shown) < len(problems):
        output.say(f"And {len(problems) - len(shown)} more problems: relance import show BATCH")
