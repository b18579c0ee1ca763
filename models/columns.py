"""Column types that keep what SQL would lose: the zone of an instant, the type of a JSON value or of an enum."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import JSON, BigInteger, CheckConstraint, Dialect, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import TIMESTAMP as PG_TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel
from typing_extensions import override

NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are named, so that a migration can name the one it changes."""

SQLModel.metadata.naming_convention = NAMES  # before the first table: names are given when a table is made

JSON_TYPE = JSON().with_variant(JSONB(), "postgresql")
BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")
"""A key that the database counts up; SQLite does so for INTEGER only."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC. On SQLite, ISO 8601 text of fixed width, so that it sorts."""

    impl = String(32)
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(PG_TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(32))

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A naive datetime cannot be stored: {value!r}. Give it a zone.")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.isoformat(timespec="microseconds")

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)


class Stored(TypeDecorator[Any]):
    """A Pydantic value kept as JSON and read back as the same type.

    Defaults are written out, so that what is stored does not change when a default does.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, model: type[BaseModel]) -> None:
        super().__init__()
        self.model = model

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    @override
    def process_bind_param(self, value: BaseModel | None, dialect: Dialect) -> Any:
        return None if value is None else value.model_dump(mode="json")

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.model.model_validate(value)


class OneOf(TypeDecorator[StrEnum]):
    """A member of an enum, kept as its text: a new member then needs no change of a type in the database."""

    impl = String(32)
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    @override
    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.members(value).value

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.members(value)


def one_of(members: type[StrEnum], default: StrEnum | None = None, *, index: bool = False) -> Any:
    """A column for a member of an enum. Add `is_one_of` to the table's constraints."""
    if default is None:
        return Field(sa_type=OneOf(members), nullable=False, index=index)
    return Field(default=default, sa_type=OneOf(members), nullable=False, index=index)


def one_of_or_none(members: type[StrEnum]) -> Any:
    """A column for a member of an enum, or nothing."""
    return Field(default=None, sa_type=OneOf(members), nullable=True)


def is_one_of(column: str, members: type[StrEnum]) -> CheckConstraint:
    """The constraint that a column holds a member of the enum; like every check it lets NULL pass."""
    listed = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def never_negative(*columns: str) -> CheckConstraint:
    """The constraint that none of these amounts is below zero."""
    return CheckConstraint(" AND ".join(f"{column} >= 0" for column in columns), name="amounts")


def instant(*, nullable: bool = True, index: bool = False) -> Any:
    """A column for an aware instant."""
    if nullable:
        return Field(default=None, sa_type=Instant, nullable=True, index=index)
    return Field(sa_type=Instant, nullable=False, index=index)


def minor(default: int | None = 0) -> Any:
    """A column for an amount in minor units."""
    if default is None:
        return Field(sa_type=BigInteger, nullable=False)
    return Field(default=default, sa_type=BigInteger, nullable=False)


def minor_or_none() -> Any:
    """A column for an amount in minor units, or nothing."""
    return Field(default=None, sa_type=BigInteger, nullable=True)


def value(model: type[BaseModel], *, nullable: bool = False) -> Any:
    """A column for a Pydantic value kept as JSON."""
    if nullable:
        return Field(default=None, sa_type=Stored(model), nullable=True)
    return Field(sa_type=Stored(model), nullable=False)


def json_list() -> Any:
    """A column for a JSON list."""
    return Field(default_factory=list, sa_type=JSON_TYPE, nullable=False)


def json_object() -> Any:
    """A column for a JSON object."""
    return Field(default_factory=dict, sa_type=JSON_TYPE, nullable=False)
