"""Checking parameters against the SDK's own typed parameter classes, for exactly the pinned version.

What the class does not name is refused with `parameter_unknown`, nested too; strings become the integers,
booleans, lists and objects that the class asks for.
"""

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stripe import StripeContext

# The SDK has no public names for these two.
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import is_typeddict

from sandbox.stripe.errors import ApiError, Document, invalid

_OPTIONS = frozenset(RequestOptions.__annotations__)
_RETIRED = "payment_method_types"


@dataclass
class _Accepts:
    """What one parameter may be, its union taken apart."""

    words: set[str] = field(default_factory=set)
    scalars: set[type] = field(default_factory=set)
    objects: list[type] = field(default_factory=list)
    items: Any = None
    values: Any = None


@functools.cache
def _fields(shape: type) -> Mapping[str, Any]:
    hints = get_type_hints(shape, localns={"StripeContext": StripeContext, "Mapping": Mapping})
    return {name: hint for name, hint in hints.items() if name not in _OPTIONS}


def names(shape: type) -> frozenset[str]:
    """The parameters that an SDK parameter class knows."""
    return frozenset(_fields(shape))


def shape_of(shape: type, name: str) -> type:
    """The SDK's class behind a parameter that is an object."""
    return _accepts(_fields(shape)[name]).objects[0]


def read(shape: type, raw: Document, *, inside: str = "") -> Document:
    """Turn decoded form parameters into typed ones.

    Args:
        shape: a `stripe.params` class.
        raw: what `forms.decode` made.
        inside: the bracketed name of the group that this is part of.

    Raises:
        ApiError: unknown, missing, empty or badly typed parameters.
    """
    known = _fields(shape)
    unknown = [_name(inside, key) for key in raw if key not in known]
    if unknown:
        raise _unknown(unknown)
    required: frozenset[str] = getattr(shape, "__required_keys__", frozenset())
    for key in sorted(required & known.keys()):
        if key not in raw:
            name = _name(inside, key)
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return {key: _value(value, known[key], _name(inside, key)) for key, value in raw.items()}


def _unknown(unknown: list[str]) -> ApiError:
    if _RETIRED in unknown:
        return invalid(
            "The `payment_method_types` parameter is no longer supported. Use `allowed_payment_method_types` "
            "or `excluded_payment_method_types` instead.",
            code="payment_method_types_no_longer_supported",
            param=_RETIRED,
        )
    plural = "s" if len(unknown) > 1 else ""
    message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
    return invalid(message, code="parameter_unknown", param=unknown[0])


def _name(inside: str, key: str) -> str:
    return f"{inside}[{key}]" if inside else key


def _accepts(hint: Any) -> _Accepts:  # noqa: ANN401 - a type hint may be anything
    found = _Accepts()
    origin = get_origin(hint)
    for part in get_args(hint) if origin in {Union, types.UnionType} else (hint,):
        _add(found, part)
    return found


def _add(found: _Accepts, part: Any) -> None:  # noqa: ANN401
    origin = get_origin(part)
    if origin is Literal:
        found.words.update(get_args(part))
    elif origin is list:
        (found.items,) = get_args(part)
    elif origin is dict:
        found.values = get_args(part)[1]
    elif origin is UntypedStripeObject or part is type(None):
        return
    elif is_typeddict(part):
        found.objects.append(part)
    else:
        found.scalars.add(part if isinstance(part, type) else str)


def _value(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401
    accepts = _accepts(hint)
    if isinstance(value, dict):
        return _group(value, accepts, name)
    return _scalar(str(value), accepts, name)


def _group(value: Document, accepts: _Accepts, name: str) -> Any:  # noqa: ANN401
    if accepts.items is not None and all(key.isdigit() for key in value):
        ordered = sorted(value.items(), key=lambda item: int(item[0]))
        return [_value(item, accepts.items, f"{name}[{key}]") for key, item in ordered]
    if accepts.objects:
        return read(accepts.objects[0], value, inside=name)
    if accepts.values is not None:
        return {key: _map_value(item, f"{name}[{key}]") for key, item in value.items()}
    raise invalid(f"Invalid string: {value}", param=name)


def _map_value(item: Any, name: str) -> str:  # noqa: ANN401
    if not isinstance(item, str):
        raise invalid("Metadata values must be strings.", param=name)
    return item


def _scalar(value: str, accepts: _Accepts, name: str) -> str | int | bool | float:
    if value in accepts.words:
        return value
    if value == "":
        raise invalid(
            f"You passed an empty string for '{name}'. Leave it out, or give it a value.",
            code="parameter_invalid_empty",
            param=name,
        )
    if bool in accepts.scalars and value in {"true", "false"}:
        return value == "true"
    if int in accepts.scalars and value.lstrip("-").isdigit():
        return int(value)
    if accepts.words or accepts.scalars - {bool, int}:
        return value
    if int in accepts.scalars:
        raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    if bool in accepts.scalars:
        raise invalid(f"Invalid boolean: {value}", param=name)
    raise invalid("Invalid object", param=name) if not accepts.items else invalid("Invalid array", param=name)
