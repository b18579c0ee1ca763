"""VIES, the European Commission's register of VAT numbers, over HTTPS."""

from __future__ import annotations

from typing import Any, Final

import httpx

from activities.tls import trusted
from activities.vat_checks import RegisterReply
from models.tables import RegisterAnswer
from settings import VIES

TIMEOUT_SECONDS: Final = 25.0
"""It asks the member state's own register in turn, and some of them take their time."""
_SOURCE: Final = "vies"
_NOT_KNOWN: Final = frozenset({"INVALID", "INVALID_INPUT"})
"""What it calls a number that is not in force."""
_UNDISCLOSED: Final = "---"


class Vies:
    """`VatRegister` on the Commission's service. With the seller's own number it gives a consultation number."""

    def __init__(self, base: str = VIES, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Connect to nothing yet.

        Args:
            base: where the service is, without a slash at the end.
            timeout_seconds: for connecting, and for the answer.
        """
        self._base = base
        self._timeout = timeout_seconds

    async def ask(self, number: str, *, requester: str) -> RegisterReply:
        """Ask whether a number is in force; see `VatRegister.ask`."""
        question = {"countryCode": number[:2], "vatNumber": number[2:]}
        if requester:
            question |= {"requesterMemberStateCode": requester[:2], "requesterNumber": requester[2:]}
        try:
            async with httpx.AsyncClient(timeout=self._timeout, verify=trusted()) as client:
                answer = await client.post(f"{self._base}/check-vat-number", json=question)
            told: Any = answer.json()
        except httpx.HTTPError as error:
            return _nothing(f"VIES was not reached: {type(error).__name__}")
        except ValueError:
            return _nothing(f"VIES answered {answer.status_code} without JSON")
        return _reply(answer.status_code, told if isinstance(told, dict) else {})


def _reply(status: int, told: dict[str, Any]) -> RegisterReply:
    """What its answer means. Only a clear no is one: everything unclear is no answer."""
    fault = str(told.get("userError") or _wrapped_error(told)).upper()
    if status == httpx.codes.OK and told.get("valid") is True:
        name = str(told.get("name") or "")
        return RegisterReply(
            answer=RegisterAnswer.VALID,
            source=_SOURCE,
            consultation=str(told.get("requestIdentifier") or ""),
            name="" if name == _UNDISCLOSED else name,
        )
    if fault in _NOT_KNOWN or (status == httpx.codes.OK and told.get("valid") is False and not fault):
        return RegisterReply(
            answer=RegisterAnswer.INVALID,
            source=_SOURCE,
            consultation=str(told.get("requestIdentifier") or ""),
        )
    return _nothing(f"VIES answered {status} {fault}".strip())


def _wrapped_error(told: dict[str, Any]) -> str:
    errors = told.get("errorWrappers")
    first = errors[0] if isinstance(errors, list) and errors else {}
    return str(first.get("error") or "") if isinstance(first, dict) else ""


def _nothing(why: str) -> RegisterReply:
    return RegisterReply(answer=RegisterAnswer.UNAVAILABLE, source=_SOURCE, detail=why)
