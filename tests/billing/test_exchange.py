"""Exchange rates: the bank's files, and amounts in euro."""

from datetime import date
from decimal import Decimal

import pytest

from billing.exchange import DayRate, UnreadableRates, read_ecb, to_eur_minor

DOLLAR = DayRate(currency="USD", on=date(2026, 11, 20), per_eur=Decimal("1.0823"))

HISTORY = "Date,USD,JPY,CYP,\n2026-11-20,1.0823,163.01,N/A,\n2026-11-19,1.08,162.9,N/A,\n"
DAILY = "Date, USD, JPY, \n20 November 2026, 1.0823, 163.01, \n"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"><gesmes:subject>Reference rates</gesmes:subject>
<Cube><Cube time='2026-11-20'><Cube currency='USD' rate='1.0823'/><Cube currency='JPY' rate='163.01'/></Cube>
<Cube time="2026-11-19"><Cube currency="USD" rate="1.08"/></Cube></Cube></gesmes:Envelope>"""


@pytest.mark.parametrize(("text", "count"), [(HISTORY, 4), (DAILY, 2), (XML, 3)])
def test_the_bank_s_files_are_read(text: str, count: int) -> None:
    rates = read_ecb(text)
    assert len(rates) == count
    assert rates[0] == DOLLAR


@pytest.mark.parametrize(
    "text",
    ["", "<html>Not found</html>", "Name,Amount\nA,1\n", "Date,USD\n2026-13-01,1\n", "Date,USD\n2026-11-20,-1\n",
     "Date,USD\n20 Novembre 2026,1.08\n", "Date,USD\n2026-11-20,NaN\n"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRates) as refusal:
        read_ecb(text)
    assert refusal.value.field == "file"


@pytest.mark.parametrize(
    ("minor", "currency", "per_eur", "cents"),
    [
        (980, "USD", "1.0823", 905),  # 9.80 / 1.0823 = 9.0548
        (1000, "JPY", "163.01", 613),  # 1,000 yen: 6.1346
        (1000, "KWD", "0.33", 303),  # 1.000 dinar: 3.0303
        (-980, "USD", "1.0823", -905),
        (1, "USD", "2", 1),  # half a cent, away from zero
        (0, "USD", "1.0823", 0),
    ],
)
def test_an_amount_in_euro_is_rounded_half_up(minor: int, currency: str, per_eur: str, cents: int) -> None:
    assert to_eur_minor(minor, currency, Decimal(per_eur)) == cents
