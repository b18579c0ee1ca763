"""Who buys in the demo and what becomes of them, as `customers.toml` says it. Data, nothing happens here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.commands import When
from billing.subscription import CustomerKind
from sandbox.demo import files
from sandbox.problems import SandboxProblem
from starter.orders import Zone

FILE: Final = Path(__file__).with_name("customers.toml")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(_Data):
    """A card, and what its bank answers (docs/fake-stripe.md)."""

    number: str = "4242424242424242"
    expires: str = Field(default="2034-12", pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")
    answers: str = ""
    """Empty: the card answers for itself, and is declined once it has expired."""

    @property
    def year_and_month(self) -> tuple[str, str]:
        """Until when it is valid."""
        year, _, month = self.expires.partition("-")
        return year, month


class Account(_Data):
    """A bank account that is debited, with a mandate, and what its bank answers days later."""

    iban: str
    answers: str = ""


class _Event(_Data):
    on: date | None = None
    """The date, where the customer lives."""
    after_mail: str | None = None
    """Or: once a mail of this kind has come."""
    days_later: int = Field(default=0, ge=0, le=60)

    @model_validator(mode="after")
    def _has_one_moment(self) -> Self:
        if (self.on is None) == (self.after_mail is None):
            raise ValueError("say either on = a date, or after_mail = the kind of a mail")
        return self


class Pauses(_Event):
    """Asks for a pause."""

    does: Literal["pause"]
    when: When = When.PERIOD_END
    credit: bool = False


class Resumes(_Event):
    """Comes back from a pause, or from unpaid."""

    does: Literal["resume"]


class ChangesPlan(_Event):
    """Asks for another plan from the period's end on."""

    does: Literal["change_plan"]
    plan: str


class ChangesQuantity(_Event):
    """Asks for another number of seats from the period's end on."""

    does: Literal["change_quantity"]
    quantity: int


class Cancels(_Event):
    """Asks for the end."""

    does: Literal["cancel"]
    when: When = When.PERIOD_END


class Keeps(_Event):
    """Takes a pending cancel or pause back."""

    does: Literal["keep"]


class RetriesNow(_Event):
    """Support tries a charge at once."""

    does: Literal["retry_now"]


class GivesCard(_Event):
    """Gives another card."""

    does: Literal["new_card"]
    card: Card = Card()


Event = Annotated[
    Pauses | Resumes | ChangesPlan | ChangesQuantity | Cancels | Keeps | RetriesNow | GivesCard,
    Field(discriminator="does"),
]


class Person(_Data):
    """A customer with one subscription."""

    reference: str = Field(pattern="^[A-Za-z0-9_-]{1,40}$")
    name: str = Field(min_length=1)
    story: str
    kind: CustomerKind = CustomerKind.CONSUMER
    address: dict[str, str] | None = None
    """Whoever has one finds their invoices in the demo's folder."""
    vat_number: str = ""
    siren: str = ""
    language: str = "en"
    timezone: Zone
    plan: str
    quantity: int | None = None
    trial_days: int | None = None
    signs_up: date
    card: Card | None = Card()
    account: Account | None = None
    """Debited in place of a card."""
    event: tuple[Event, ...] = ()


class Cast(_Data):
    """Everybody, and the day on which the demo ends."""

    ends: date
    customer: tuple[Person, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        names = [person.reference for person in self.customer]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two customers have the reference {twice[0]}")
        for person in self.customer:
            if person.signs_up >= self.ends:
                raise ValueError(f"{person.reference} signs up on {person.signs_up}, when all is over")
        return self

    def only(self, references: Sequence[str]) -> Cast:
        """The same with some of the customers.

        Raises:
            SandboxProblem: one of them is not there.
        """
        known = {person.reference: person for person in self.customer}
        if unknown := [name for name in references if name not in known]:
            raise SandboxProblem(f"There is no customer {unknown[0]}. There are: {', '.join(known)}.")
        return self.model_copy(update={"customer": tuple(known[name] for name in references)})

    def until(self, day: date) -> Cast:
        """The same, with another end.

        Raises:
            SandboxProblem: somebody signs up later.
        """
        late = [person for person in self.customer if person.signs_up >= day]
        if late:
            raise SandboxProblem(
                f"{late[0].reference} signs up on {late[0].signs_up} only. Give a later end than {day}."
            )
        return self.model_copy(update={"ends": day})


def read_cast(file: Path = FILE) -> Cast:
    """Reads the customers.

    Raises:
        SandboxProblem: something in it cannot be.
    """
    return files.read(file, Cast)
