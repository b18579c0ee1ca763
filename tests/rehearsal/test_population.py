"""The data file of presets, and what is refused in one that somebody edited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rehearsal
from billing.errors import InvalidInput
from rehearsal.population import Basis, Cause, Population, presets, read_populations

TEXT = (Path(rehearsal.__file__).parent / "population.toml").read_text(encoding="utf-8")


def test_four_presets_come_along_each_parameter_with_what_it_rests_on() -> None:
    known = presets()
    assert list(known) == ["card-global", "hard-consumer", "sepa", "b2b-france"]
    parameters = set(Population.model_fields) - {"name", "title", "evidence"}
    for population in known.values():
        assert set(population.evidence) == parameters
        for parameter, evidence in population.evidence.items():
            assert evidence.basis is Basis.FITTED or evidence.source, parameter


def test_a_preset_that_is_like_another_differs_in_what_it_names() -> None:
    card, hard = presets()["card-global"], presets()["hard-consumer"]
    assert (card.topup_days, hard.topup_days) == (14, 25)
    assert card.causes == hard.causes
    assert card.causes[Cause.INSUFFICIENT_FUNDS] == 0.36


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("closed = 0.12, technical = 0.06", "closed = 0.22, technical = 0.06", "causes", "add up to 1.1"),
        (
            'basis = "weak", source = "25 to 30 %',
            'basis = "weak" } # "25 to 30 %',
            "source",
            "needs a source",
        ),
        ("topup_days = { value = 14,", "topup_days = { worth = 14,", "topup_days", "topup_days has no value"),
        ("chronic = { value = 0.20", "chronic = { value = 20", "chronic", "less than or equal to 1"),
        ("chronic = { value = 0.20", "chronics = { value = 0.20", "chronic", "chronic is missing"),
        ('value = "do_not_honor"', 'value = "no_honour"', "codes", "no_honour is not in the table"),
        ("payday_at_end = { value = 0.45", "payday_at_end = { value = 0.85", "payday_at_end", "pass 1"),
        ("{ value = [0, 0]", "{ value = [3, 2]", "result_business_days", "the least and the most"),
        ("hour_effects = { value = {}", "hour_effects = { value = { 9 = 0.3 }", "hour_effects.9", "0.03"),
        ('like = "card-global"', 'like = "cards"', "like", "no other preset"),
        (
            "acts_on_mail = { value = { 0 = 0.1325,",
            "acts_on_mail = { value = { -1 = 0.1,",
            "acts_on_mail",
            "from 0",
        ),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, field: str, message: str) -> None:
    assert re.search(re.escape(old), TEXT)
    with pytest.raises(InvalidInput) as refused:
        read_populations(TEXT.replace(old, new), source="mine.toml")
    assert refused.value.field == field
    assert refused.value.message.startswith("mine.toml, preset ")
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset = 1", "no [preset.NAME]"),
        ("[", "no TOML"),
        ("[preset]\nours = 1", "preset ours: Write it as [preset.NAME]"),
        ("[preset.ours]\nparameters = 1", "preset ours: Write it as [preset.NAME]"),
    ],
)
def test_another_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        read_populations(text, source="mine.toml")
