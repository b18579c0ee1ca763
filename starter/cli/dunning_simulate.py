"""`relance dunning simulate`: dunning policies rehearsed on paper, before anybody is charged by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from billing.dunning import DEFAULT_POLICIES, DunningPolicy
from billing.errors import InvalidInput
from billing.policy_file import read_policy_file
from rehearsal.measures import REPEAT, Band, Rehearsed, Route
from rehearsal.picture import bar, curve, marked_days, recovered_by
from rehearsal.play import Rehearsal, rehearse
from rehearsal.policies import compared_policies, is_for_comparison, read_compared
from rehearsal.population import Population, presets, read_populations
from starter.cli import output

_ROUTES = {
    Route.RETRY: "  by automatic retries",
    Route.RENEWED: "  by renewed cards",
    Route.CUSTOMER: "  by customers after a mail",
}


def simulate(
    *,
    policy: Annotated[
        str, typer.Option(help="A policy by name (monthly, annual, ...), or a TOML file of policies.")
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(help="Another to compare with; may be repeated. Also polar, stripe and paddle."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="card-global, hard-consumer, sepa or b2b-france; or one of --population.",
            show_default="card-global, or the first of --population",
        ),
    ] = None,
    population: Annotated[
        Path | None,
        typer.Option(
            help="A file of presets in place of the one that comes along.", exists=True, dir_okay=False
        ),
    ] = None,
    invoices: Annotated[int, typer.Option(help="Failed payments that each policy is played over.")] = 40_000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same payers.")] = 1,
    picture: Annotated[
        Path | None, typer.Option(help="Write the curve of recovery as an SVG to this file.", dir_okay=False)
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Play dunning policies over a population on paper, by the decisions that run in production.

    Shows what is recovered, when, by what and at how many mails; with
    --against each policy whole, then all cut to equal retries and span, since
    more tries and a longer wait recover more by themselves. No database.
    """
    policies = [one for given in (policy, *(against or ())) for one in _policies(given)]
    rehearsal = rehearse(policies, _population(population, preset), invoices=invoices, seed=seed)
    if picture is not None:
        _draw(rehearsal, picture)
    if as_json:
        output.show_json(rehearsal)
    else:
        _show(rehearsal)


def _policies(given: str) -> Sequence[DunningPolicy]:
    """What a name or a file names."""
    ours = {name: policy for name, policy in DEFAULT_POLICIES.items() if policy.retry_days}
    built_in: dict[str, DunningPolicy] = {**ours, **compared_policies()}
    if given in built_in:
        return [built_in[given]]
    file = Path(given)
    if not file.is_file():
        raise InvalidInput(
            f"{given} is neither a file nor a policy. Policies are {', '.join(built_in)}.", field="policy"
        )
    text = _text_of(file, field="policy")
    if is_for_comparison(text):
        return read_compared(text, file.name)
    return [saved.policy for saved in read_policy_file(text, source=file.name)]


def _population(file: Path | None, preset: str | None) -> Population:
    known = (
        presets() if file is None else read_populations(_text_of(file, field="population"), source=file.name)
    )
    name = preset or next(iter(known))
    if name not in known:
        raise InvalidInput(f"There is no preset {name}. Take one of {', '.join(known)}.", field="preset")
    return known[name]


def _text_of(file: Path, *, field: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{file} is no TOML: {problem}", field=field) from None


def _draw(rehearsal: Rehearsal, to: Path) -> None:
    try:
        to.write_text(
            curve(rehearsal.policies, title=f"Recovered, preset {rehearsal.preset}"), encoding="utf-8"
        )
    except OSError as problem:
        raise InvalidInput(f"{to} cannot be written: {problem.strerror}.", field="picture") from None


def _show(rehearsal: Rehearsal) -> None:
    first, last = rehearsal.seeds[0], rehearsal.seeds[-1]
    output.say(
        f"{rehearsal.invoices} failed payments of preset {rehearsal.preset}: {rehearsal.title}.\n"
        f"Drawn as {len(rehearsal.seeds)} populations, seeds {first} to {last}; in brackets the least and the most "
        "of them."
    )
    cut = rehearsal.cut
    output.show_table(_measures(rehearsal.policies), title="As they are" if cut else None)
    for one in rehearsal.policies:
        output.show_table(_attempts(one), title=f"Tries of {one.policy}", empty="No try was made.")
    output.show_table(_causes(rehearsal.policies), title="Recovered by cause")
    output.show_table(_bars(rehearsal.policies), title="Recovered by day")
    if cut is not None:
        output.show_table(
            _measures(cut.policies),
            title=f"Cut to {cut.retries} retries within {cut.span_days} days, with as many mails and the same end",
        )
    output.say(rehearsal.caution)


def _measures(rehearsed: Sequence[Rehearsed]) -> list[output.Row]:
    rows: list[tuple[str, Callable[[Rehearsed], object]]] = [
        ("Retries on days", lambda r: ", ".join(map(str, r.retry_days)) or "none"),
        ("Mails on days", lambda r: ", ".join(map(str, (0, *r.mail_days, r.end_day)))),
        ("Recovered", lambda r: _percent(r.recovered)),
        *((words, lambda r, route=route: _percent(r.routes[route])) for route, words in _ROUTES.items()),
        ("On the next try, of still unpaid", lambda r: _percent(r.next_try)),
        ("Of the recovered, within 10 days", lambda r: _percent(r.recovered_soon)),
        ("Collected, of all invoices", lambda r: _percent(r.collected)),
        ("Days to cash, median", lambda r: _number(r.days_to_cash)),
        ("Days to cash, 90th percentile", lambda r: _number(r.days_to_cash_90)),
        ("Mails for each failed payment", lambda r: _number(r.mails, places=2)),
        ("Retries for each failed payment", lambda r: _number(r.retries, places=2)),
        ("Unpaid at the end, service cut", lambda r: _percent(r.lost)),
        ("Leave of their own accord", lambda r: _percent(r.left)),
        ("Claimed back after payment", lambda r: _percent(r.taken_back)),
    ]
    return [{"": words, **{r.policy: value(r) for r in rehearsed}} for words, value in rows]


def _attempts(one: Rehearsed) -> list[output.Row]:
    return [
        {
            "Try": "repeat, hours later" if attempt.name == REPEAT else f"retry on day {attempt.name}",
            "Made on, of failed": _percent(attempt.made),
            "Succeeded, of tried": _percent(attempt.succeeded),
            "Brought, of still unpaid": _percent(attempt.of_unpaid),
        }
        for attempt in one.attempts
    ]


def _causes(rehearsed: Sequence[Rehearsed]) -> list[output.Row]:
    return [
        {"Cause": cause.value.replace("_", " "), **{r.policy: _percent(r.causes[cause]) for r in rehearsed}}
        for cause in rehearsed[0].causes
    ]


def _bars(rehearsed: Sequence[Rehearsed]) -> list[output.Row]:
    return [
        {
            "Day": day,
            **{
                r.policy: f"{100 * recovered_by(r, day):4.1f} % {bar(recovered_by(r, day))}"
                for r in rehearsed
            },
        }
        for day in marked_days(rehearsed)
    ]


def _percent(band: Band) -> str:
    return f"{100 * band.middle:.1f} % ({100 * band.low:.1f} to {100 * band.high:.1f})"


def _number(band: Band, *, places: int = 1) -> str:
    return f"{band.middle:.{places}f} ({band.low:.{places}f} to {band.high:.{places}f})"
