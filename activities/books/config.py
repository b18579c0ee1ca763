"""The choices of a seller that the books follow; made from settings once, at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from activities.books.notices import AccessRules
from billing.interest import (
    InterestRates,
    UnusableInterestRates,
    default_interest_rates,
    read_interest_rates,
)
from billing.mandates import NOTICE_DAYS
from billing.money import to_minor
from billing.taxation import RateTable
from billing.vat_rates import UnusableRates, default_rates, read_rates

if TYPE_CHECKING:
    from settings import Settings


@dataclass(frozen=True)
class BookRules:
    """What the transactions need to know beside the rows.

    Attributes:
        access: how long an answer about access stays good.
        gated_for: how long a gated draft waits for its payment (rules 13).
        catch_up_limit: periods that may fall due at once (rules 4).
        unpaid_cancel_days: after how many days unpaid a subscription is cancelled (U10).
        promise_days: how far ahead a promise to pay may be (rules 25).
        minimum_minor: the least that can be charged, per currency (rules 10).
        small_difference: what a transfer may be short of, in major units of its currency (rules 17).
        rates: of VAT.
        interest: statutory rates on late payment, by half-year (rules 31).
        exchange_rate_days: how old the exchange rate of a document in another currency may be.
        vat_number_days: for how long a register's answer holds while it does not answer again.
        notice_days: how long before a direct debit its payer is told, where the mandate says nothing else (rules 28).
        access_when_settled: whether a sign-up by direct debit waits for the money, and not only for the bank's order.
    """

    access: AccessRules = field(
        default_factory=lambda: AccessRules(window=timedelta(0), grace=timedelta(hours=24))
    )
    gated_for: timedelta = timedelta(hours=23)
    catch_up_limit: int = 2
    unpaid_cancel_days: int = 90
    promise_days: int = 30
    minimum_minor: Mapping[str, int] = field(default_factory=lambda: {"EUR": 50})
    small_difference: Decimal = Decimal("1.00")
    rates: RateTable = field(default_factory=default_rates)
    interest: InterestRates = field(default_factory=default_interest_rates)
    exchange_rate_days: int = 7
    vat_number_days: int = 30
    notice_days: int = NOTICE_DAYS
    access_when_settled: bool = False

    @classmethod
    def of(cls, settings: Settings) -> BookRules:
        """The seller's choices among the settings."""
        window = timedelta(minutes=settings.boundary_window_minutes)
        return cls(
            access=AccessRules(window=window, grace=timedelta(hours=settings.access_grace_hours)),
            gated_for=timedelta(hours=settings.gated_hours),
            catch_up_limit=settings.catch_up_limit,
            unpaid_cancel_days=settings.unpaid_cancel_days,
            promise_days=settings.promise_days,
            minimum_minor=settings.minimum_charge_minor,
            small_difference=settings.small_difference,
            rates=_rates(settings.vat_rates),
            interest=_interest(settings.interest_rates),
            exchange_rate_days=settings.exchange_rate_days,
            vat_number_days=settings.vat_number_days,
            notice_days=settings.sepa_notice_days,
            access_when_settled=settings.sepa_access_when_settled,
        )

    def minimum(self, currency: str) -> int:
        """The least that can be charged in this currency, in minor units; 1 where none is known."""
        return self.minimum_minor.get(currency, 1)

    def tolerance(self, currency: str) -> int:
        """What a transfer may be short of and closes its invoice all the same, in minor units (rules 17)."""
        return to_minor(self.small_difference, currency)


@lru_cache(maxsize=4)
def _rates(path: Path | None) -> RateTable:
    """The seller's own table of VAT rates, else ours."""
    if path is None:
        return default_rates()
    try:
        return read_rates(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as problem:
        raise UnusableRates(
            f"The table of VAT rates {path} can't be read: {problem}. Mend RELANCE_VAT_RATES, or unset it.",
            field="RELANCE_VAT_RATES",
        ) from None


@lru_cache(maxsize=4)
def _interest(path: Path | None) -> InterestRates:
    """The seller's own table of interest rates, else ours."""
    if path is None:
        return default_interest_rates()
    try:
        return read_interest_rates(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as problem:
        raise UnusableInterestRates(
            f"The table of interest rates {path} can't be read: {problem}. Mend RELANCE_INTEREST_RATES, or unset it.",
            field="RELANCE_INTEREST_RATES",
        ) from None
