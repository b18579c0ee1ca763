"""`relance doctor`: what is wrong, and mending what is safe to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.running import with_client

if TYPE_CHECKING:
    from starter.client import RelanceClient
    from starter.symptoms import Finding

app = typer.Typer()


@app.callback(invoke_without_command=True)
def doctor(
    *,
    fix: Annotated[
        bool, typer.Option("--fix", help="Start what is missing from its rows, wake what is late.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Compare the books with what runs: rows without a workflow and the other way round, parked, late, unanswered.

    The status is 0 if nothing is wrong, or all of it was mended, else 1.
    """

    async def work(client: RelanceClient) -> tuple[list[Finding], list[str]]:
        from starter.doctor import Doctor

        physician = Doctor(client.connections)
        findings = await physician.examine()
        return findings, await physician.mend(findings) if fix else []

    findings, done = with_client(work)
    if as_json:
        output.show_json({"findings": findings, "done": done})
    else:
        output.show_table(
            [
                {"Trouble": f.trouble.replace("_", " "), "Where": f.about, "What": f.says, "Remedy": f.remedy}
                for f in findings
            ],
            empty="All is well.",
        )
        for sentence in done:
            output.say(sentence)
    left = [finding for finding in findings if not (fix and finding.fixable)]
    if left:
        raise typer.Exit(output.REFUSED)
