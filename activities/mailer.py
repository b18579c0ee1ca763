"""The small interface through which mails leave, and its values. Nothing here imports an SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from billing.errors import RelanceError
from billing.values import Value


class Address(Value):
    """A mail address with the name to show."""

    address: str = Field(min_length=3)
    name: str | None = None


class OutgoingMail(Value):
    """One mail, rendered, as it is to be sent."""

    message_id: str
    """The id of its row: travels as a custom argument and comes back with the provider's events (rules 29)."""
    kind: str
    """`receipt`, `payment_failed`: what the provider's statistics are split by."""
    as_of: datetime | None = None
    """The instant that the mail is about; on a test clock not today's. Travels as a custom argument."""
    sender: Address
    reply_to: Address | None = None
    recipients: tuple[Address, ...] = Field(min_length=1)
    """One or several contacts of one customer; each sees the others."""
    subject: str = Field(min_length=1)
    text: str = Field(min_length=1)
    html: str = Field(min_length=1)


class Accepted(Value):
    """The provider took the mail over."""

    outcome: Literal["accepted"] = "accepted"
    provider_message_id: str | None = None


class LostAnswer(Value):
    """The mail was handed over and no answer came: it may be on its way. Whether to send again: rules 29."""

    outcome: Literal["lost_answer"] = "lost_answer"
    reason: str


class Refused(Value):
    """The provider will not send this mail."""

    outcome: Literal["refused"] = "refused"
    reason: str
    permanent: bool
    """True: this very mail is wrong. False: our access is; it can be sent once a person has set that right."""


MailOutcome = Accepted | LostAnswer | Refused


class MailerUnavailable(RelanceError):
    """The mail was certainly not sent: the provider was not reached, or had no time for it. Try again later."""


class MailerMisconfigured(RelanceError):
    """There is no access to a mail provider; a person must act."""


class Mailer(Protocol):
    """Sends mails. One real implementation: `activities.sendgrid_mailer`."""

    async def send(self, mail: OutgoingMail) -> MailOutcome:
        """Hand a mail to the provider, once.

        Raises:
            MailerUnavailable: it was certainly not sent.
        """
        ...
