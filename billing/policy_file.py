"""Reading dunning policies from a file: TOML, a `[[policy]]` for each, its keys the fields of `DunningPolicy`.

Each is checked by itself. Whether they go together is looked at when they are saved: a file may as well hold two that
are to be compared.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from billing.dunning import DunningPolicy
from billing.errors import InvalidInput
from billing.policy_choice import AppliesTo, SavedPolicy, check_suits

_FIELDS: Final = tuple(name for name in DunningPolicy.model_fields if name != "version")
_KEYS: Final = (*_FIELDS, "applies_to")
_DAYS: Final = "Give days as whole numbers in a list, such as [1, 3, 7]."
_NUMBER: Final = "Give a whole number."
_REMEDIES: Final = {
    "name": "Give a name of its own, in quotes.",
    "charges": "Give true or false.",
    "retry_days": _DAYS,
    "reminder_days": _DAYS,
    "end_for_subscription": 'Give "suspend", "cancel" or "keep".',
    "end_for_invoice": 'Give "leave_open", "uncollectible" or "credit".',
    "after_cancel": 'Give "ask", "collect" or "write_off".',
    "good_days": "Give true or false.",
    "avoid_sundays": "Give true or false.",
    "avoid_public_holidays": "Give true or false.",
    "paydays": "Give days of the month as whole numbers in a list, such as [28, 31].",
    "applies_to.interval": 'Give one such as "1month", or a list of them.',
    "applies_to.method": 'Give "card", "sepa_debit" or "transfer", or a list of them.',
    "applies_to.country": 'Give two capitals such as "FR", or a list of them.',
    "applies_to.segment": "Give the text that customers have as their segment, or a list of them.",
    "applies_to.first_payment": "Give true or false.",
}
"""By field; a number where none is named."""


def read_policy_file(text: str, *, source: str) -> tuple[SavedPolicy, ...]:
    """The policies of a file, in its order.

    Where `minimum_notice_days` is left out, it is what the rule asks of the invoices that the policy applies to.

    Args:
        text: the TOML.
        source: what the file is called, for errors.

    Raises:
        InvalidInput: the message names file, policy, field and remedy; `field` is that of the policy.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InvalidInput(f"{source} is no TOML: {problem}", field="file") from None
    entries = content.get("policy")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput(f"{source} has no [[policy]]. Write one for each policy.", field="file")
    others = sorted(set(content) - {"policy"})
    if others:
        raise InvalidInput(f"{source} has {others[0]} beside its [[policy]]. Leave it out.", field=others[0])
    read = tuple(_read(entry, number, source) for number, entry in enumerate(entries, start=1))
    names = [each.policy.name for each in read]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{source}: two policies are named {twice}. Give each its own name.", field="name")
    return read


def _read(entry: Mapping[str, Any], number: int, source: str) -> SavedPolicy:
    name = entry.get("name")
    where = f"{source}, policy {name if isinstance(name, str) and name else f'number {number}'}"
    try:
        _check_keys(entry)
        to = _applies_to(entry)
        saved = SavedPolicy(policy=_policy(entry, to or AppliesTo()), applies_to=to)
        check_suits(saved)
    except ValidationError as problem:
        field, sentence = _in_words(problem)
        raise InvalidInput(f"{where}: {sentence}", field=field) from None
    except InvalidInput as error:
        message = error.message.removeprefix(f"Dunning policy {name}: ")
        raise InvalidInput(f"{where}: {message}", field=error.field) from None
    return saved


def _check_keys(entry: Mapping[str, Any]) -> None:
    if "version" in entry:
        raise InvalidInput(
            "version is counted when a policy is saved, and grows with each change. Leave it out.",
            field="version",
        )
    _refuse_unknown(entry, _KEYS, prefix="")


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], *, prefix: str) -> None:
    for key in given:
        if key not in known:
            meant = get_close_matches(key, known, n=1, cutoff=0.75)
            remedy = f"Did you mean {prefix}{meant[0]}?" if meant else f"Known are {', '.join(known)}."
            raise InvalidInput(f"{prefix}{key} is not a known key. {remedy}", field=f"{prefix}{key}")


def _applies_to(entry: Mapping[str, Any]) -> AppliesTo | None:
    given = entry.get("applies_to")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidInput(
            'applies_to is a table. Give one such as { interval = "1month", country = "FR" }.',
            field="applies_to",
        )
    _refuse_unknown(given, tuple(AppliesTo.model_fields), prefix="applies_to.")
    try:
        return AppliesTo.model_validate(given)
    except ValidationError as problem:
        field, sentence = _in_words(problem, prefix="applies_to.")
        raise InvalidInput(sentence, field=field) from None
    except InvalidInput as error:
        raise InvalidInput(f"applies_to.interval: {error.message}", field="applies_to.interval") from None


def _policy(entry: Mapping[str, Any], to: AppliesTo) -> DunningPolicy:
    given = {key: value for key, value in entry.items() if key != "applies_to"}
    given.setdefault("minimum_notice_days", to.notice_days)
    # By way of JSON: strict about types there, and yet a list is a tuple and a word is a member of its enum.
    return DunningPolicy.model_validate_json(json.dumps(given, default=str), strict=True)


def _in_words(problem: ValidationError, *, prefix: str = "") -> tuple[str, str]:
    """The first complaint: its field, and a sentence with the remedy."""
    first = problem.errors(include_url=False)[0]
    field = f"{prefix}{first['loc'][0]}"
    remedy = _REMEDIES.get(field, _NUMBER)
    if first["type"] == "missing":
        return field, f"{field} is missing. {remedy}"
    return field, f"{field} is {first['input']!r}. {remedy}"
