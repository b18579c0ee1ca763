"""Ending a contract without signing in: done where it fits, and the same answer to everybody."""

from __future__ import annotations

import re

from support.life import ClockedLife
from support.reader import PUBLIC, Reader

from starter.client import RelanceClient

PAGE = f"{PUBLIC}/portal/terminate"
FRENCH = {"Accept-Language": "fr-FR,fr"}


async def sends(reader: Reader, name: str, mail: str, contract: str = "") -> str:
    """The three clicks; what the page answers, but for its instant."""
    await reader.opens(PAGE)
    await reader.presses("Continue", name=name, email=mail, contract=contract)
    assert reader.heading == "Cancel your contract"
    assert name.strip() in reader.text
    await reader.presses("Confirm the cancellation")
    assert reader.page.status_code == 200
    return re.sub(r"Received on [^.]*\.", "", reader.text)


async def test_the_contract_ends_where_it_fits_and_the_answer_is_the_same(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna", plan="trial", card=None)
    await world.signs_up("bob")
    answers = [
        await sends(reader, "Anna", "nobody@example.com"),
        await sends(reader, "Somebody", "anna@example.com"),
        await sends(reader, "Anna", "bob@example.com"),
        await sends(reader, "Anna", "%@example.com"),
        await sends(reader, "Anna", "anna@example.com", "another"),
    ]
    assert not any([(await client.subscription(name)).state.cancel_at_end for name in ("anna", "bob")])
    answers.append(await sends(reader, " ANNA ", "Anna@Example.com"))
    answers.append(await sends(reader, "The household", "bob@example.com", "bob"))
    assert len(set(answers)) == 1
    await world.settle()
    for name in ("anna", "bob"):
        assert (await client.subscription(name)).state.cancel_at_end
    letters = [letter for letter in await anna.letters() if letter.kind == "cancel_scheduled"]
    assert len(letters) == 1
    assert "13 février 2041" in letters[0].text


async def test_it_speaks_the_browser_s_language_and_says_what_is_missing(reader: Reader) -> None:
    await reader.opens(PAGE, headers=FRENCH)
    assert reader.heading == "Résilier votre contrat"
    action, fields = reader.form_of("Continuer")
    for wrong, says in (
        ({"name": "", "email": "a@example.com"}, "Indiquez le nom"),
        ({"name": "Anna", "email": "nowhere"}, "Indiquez l’adresse"),
    ):
        await reader.opens(action, fields={**fields, **wrong}, headers=FRENCH)
        assert reader.page.status_code == 422
        assert says in reader.text
    await reader.opens(
        action, fields={"form": "x", "name": "Anna", "email": "anna@example.com"}, headers=FRENCH
    )
    assert reader.page.status_code == 403
