"""What all resources share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from billing.errors import InvalidInput
from billing.money import MAX_AMOUNT_MINOR

Item = TypeVar("Item")
Order = TypeVar("Order", bound=BaseModel)

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
MOST_AT_ONCE: Final = 100


class Body(BaseModel):
    """What is sent. A member that does not exist is refused, since it was meant to do something."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def example(**content: Any) -> ConfigDict:  # noqa: ANN401 - whatever is sent
    """How a body may look, for the API document."""
    return ConfigDict(json_schema_extra={"examples": [content]})


class Resource(BaseModel):
    """What is answered. Members may be added to it; whoever reads it passes over those that they do not know."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", from_attributes=True, use_attribute_docstrings=True
    )


class Page(Resource, Generic[Item]):
    """A part of a list, newest first."""

    model_config = ConfigDict(json_schema_extra={"description": "A part of a list."})

    object: Literal["list"] = "list"
    data: tuple[Item, ...]
    has_more: bool
    """Whether there is more: ask for it with `starting_after`, the id of the last one here."""


Key = Annotated[
    str,
    Field(
        min_length=1,
        max_length=110,
        description="Its id, or your own reference as `ref:...`.",
        examples=["ref:acme"],
    ),
]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern="^[^/]+$",
        description="Your own name for it, unique within the seller; accepted wherever its id is, as `ref:...`. It has "
        "no slash.",
        examples=["acme"],
    ),
]
_MetadataKey = Annotated[str, Field(min_length=1, max_length=40)]
_MetadataValue = Annotated[str, Field(max_length=500)]
Metadata = Annotated[
    dict[_MetadataKey, _MetadataValue],
    Field(max_length=50, description="Whatever you want to keep with it.", examples=[{"crm": "1234"}]),
]
MinorUnits = Annotated[int, Field(gt=0, le=MAX_AMOUNT_MINOR, examples=[4900])]
"""An amount in minor units: 4900 is EUR 49.00."""
Money = Annotated[
    Decimal,
    Field(description="In major units, as text, with up to 12 decimals.", examples=["49.00"]),
]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY, examples=["2027-02-15"])]
Instant = Annotated[
    datetime,
    Field(
        ge=datetime(2000, 1, 1, tzinfo=UTC),
        le=datetime(2199, 12, 31, tzinfo=UTC),
        description="With its offset.",
        examples=["2027-02-15T09:00:00Z"],
    ),
]
Reason = Annotated[str, Field(max_length=200, description="For the record.", examples=["asked by phone"])]
CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]
EntityId = Annotated[
    str, Field(max_length=70, description="Id of the seller; not needed where there is only one.")
]


def built(order: type[Order], /, **content: Any) -> Order:  # noqa: ANN401 - whatever the order takes
    """What the API was sent, as the client takes it.

    Raises:
        InvalidInput: a value is out of range; `field` names it.
    """
    try:
        return order(**content)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidInput(f"{first['msg']}.", field=field) from None
