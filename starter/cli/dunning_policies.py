"""`relance dunning policy`: dunning policies as saved data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output, words
from starter.cli.running import OPERATOR, By, with_client

if TYPE_CHECKING:
    from billing.dunning import DunningPolicy
    from starter.policies import KnownPolicy, PolicySaved

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.callback()
def policy() -> None:
    """The dunning policies, saved and default."""


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="TOML with a table for each policy.", exists=True, dir_okay=False)
    ],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Say what saving them would do, and save nothing.")
    ] = False,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Save the policies of a file, all or none. One that is saved already as it is stays the same version.

    A change makes the next version; invoices in dunning keep the version that they began with.
    """
    from billing.policy_file import read_policy_file

    policies = read_policy_file(_text(file), source=str(file))
    if check:
        saved = with_client(lambda client: client.policies.check(policies, by=by))
    else:
        saved = with_client(lambda client: client.policies.save(policies, by=by))
    if as_json:
        output.show_json({"saved": not check, "policies": saved})
        return
    output.show_table([_line(each) | {"Change": each.change} for each in saved])
    if check:
        output.say("Nothing was saved.")


@app.command("list")
def list_policies(*, as_json: output.JsonFlag = False) -> None:
    """List the newest version of each policy, the saved ones first."""
    known = with_client(lambda client: client.policies.list())
    if as_json:
        output.show_json(known)
    else:
        output.show_table([_line(each) | {"Retired": words.instant(each.retired_at)} for each in known])


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="By default the newest version.")],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """Show a policy: its days, its ends and what it applies to."""
    known = with_client(lambda client: client.policies.show(key))
    if as_json:
        output.show_json(known)
        return
    policy = known.policy
    output.show_fields(
        {
            "Applies to": known.applies_to_in_words,
            "Charges": policy.charges,
            "Retries on days": _days(policy.retry_days),
            "Mails on days": _mails(policy),
            "Last notice on day": policy.last_notice_day,
            "End on day": policy.end_day,
            "Then the subscription": policy.end_for_subscription,
            "And the invoice": policy.end_for_invoice,
            "After a cancel": policy.after_cancel,
            "Hour of each step": policy.hour,
            "Saved": words.instant(known.created_at),
            "By": known.by,
            "Retired": words.instant(known.retired_at),
        },
        title=known.title,
    )


@app.command()
def retire(name: Name, *, as_json: output.JsonFlag = False) -> None:
    """Take a saved policy out of use. Invoices in dunning and terms that name it keep it."""
    known = with_client(lambda client: client.policies.retire(name))
    if as_json:
        output.show_json(known)
    else:
        output.say(f"The policy {known.name} is neither chosen nor named anew.")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{file} is no TOML: {problem}", field="file") from None


def _line(known: KnownPolicy | PolicySaved) -> dict[str, object]:
    policy = known.policy
    return {
        "Policy": known.title,
        "Applies to": known.applies_to_in_words,
        "Retries": _days(policy.retry_days),
        "Mails": _mails(policy),
        "Last notice": policy.last_notice_day,
        "End": policy.end_day,
        "Then": f"{policy.end_for_subscription}, {policy.end_for_invoice}",
    }


def _days(days: Sequence[int]) -> str:
    return ", ".join(map(str, days)) or "none"


def _mails(policy: DunningPolicy) -> str:
    """The days of mails before the last notice; the first one waits for the quiet days."""
    first = (policy.quiet_days,) if policy.charges else ()
    later = (day for day in policy.mail_days if policy.quiet_days < day < policy.last_notice_day)
    return _days((*first, *later))
