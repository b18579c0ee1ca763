"""SEPA debits that fail, for each answer of the bank and with or without a backup: what happens up to the end.

In Paris 09:00 is 08:00 UTC, and from 28 March 2027 on 07:00. No debit is made on a weekend or a closing day of TARGET;
the dates are such that notices and repeats meet 1 January, Good Friday (26 March) and Easter Monday (29 March). Mails,
the end and the charges of a card know no banking days.
"""

from __future__ import annotations

from billing.dunning import ANNUAL, MONTHLY, SEPA, SEPA_ANNUAL, SEPA_FIRST_PAYMENT, DunningPolicy

MONTH, YEAR, FIRST, ORDERED = "month", "year", "first payment", "ordered first payment"
BACK, BACK_OF_YEAR = "month, taken back", "year, taken back"
ALONE, WITH_BACKUP = "alone", "with a backup card"

NO_FUNDS, NO_FUNDS_THEN_CLOSED = "no funds", "no funds, then closed"
TECHNICAL, CLOSED, BLOCKED = "technical error", "closed", "blocked"
TAKEN_BACK = "taken back"

# Issued on Tuesday 23 March: the three days' notice ends on Good Friday, so day 0 is Tuesday 30 March (K4).
MONTH_TOLD = ["03-23 10:00 mail debit_notice:2027-03-30"]
MONTH_FAILED = [
    *MONTH_TOLD,
    "03-30 07:00 first: processing",
    "04-02 09:30 attempt 1: insufficient_funds",
    "04-02 09:30 mail debit_notice:2027-04-09",
    "04-09 07:00 retry: processing",
]
MONTH_LAST = "04-19 07:00 mail last_notice"
MONTH_NO_FUNDS = [*MONTH_FAILED, "04-14 09:30 attempt 2: insufficient_funds", MONTH_LAST]
MONTH_TECHNICAL = [
    *MONTH_TOLD,
    "03-30 07:00 first: partner_processing_error",
    "03-30 07:00 mail debit_notice:2027-04-06",
    "04-06 07:00 retry: processing",
    "04-09 09:30 attempt 2: insufficient_funds",
    MONTH_LAST,
]

# Issued on Monday 15 March; fails on Monday 22, and Easter lies within the five banking days.
YEAR_TOLD = ["03-15 10:00 mail debit_notice:2027-03-18"]
YEAR_FAILED = [
    *YEAR_TOLD,
    "03-18 08:00 first: processing",
    "03-22 09:30 attempt 1: insufficient_funds",
    "03-22 09:30 mail debit_notice:2027-03-31",
    "03-31 07:00 retry: processing",
]
YEAR_LAST = "04-15 07:00 mail last_notice"
YEAR_NO_FUNDS = [*YEAR_FAILED, "04-05 09:30 attempt 2: insufficient_funds", YEAR_LAST]
YEAR_TECHNICAL = [
    *YEAR_TOLD,
    "03-18 08:00 first: partner_processing_error",
    "03-18 08:00 mail debit_notice:2027-03-25",
    "03-25 08:00 retry: processing",
    "03-30 09:30 attempt 2: insufficient_funds",
    YEAR_LAST,
]

# Issued on 29 December 2026 after a trial: the notice ends on 1 January, a Friday, so day 0 is Monday the 4th.
FIRST_TOLD = ["12-29 10:00 mail debit_notice:2027-01-04"]
FIRST_FAILED = [
    *FIRST_TOLD,
    "01-04 08:00 first: processing",
    "01-07 09:30 attempt 1: insufficient_funds",
    "01-07 09:30 mail debit_notice:2027-01-14",
    "01-14 08:00 retry: processing",
]
FIRST_LAST = "01-24 08:00 mail last_notice"
FIRST_NO_FUNDS = [*FIRST_FAILED, "01-19 09:30 attempt 2: insufficient_funds", FIRST_LAST]
FIRST_TECHNICAL = [
    *FIRST_TOLD,
    "01-04 08:00 first: partner_processing_error",
    "01-04 08:00 mail debit_notice:2027-01-11",
    "01-11 08:00 retry: processing",
    "01-14 09:30 attempt 2: insufficient_funds",
    FIRST_LAST,
]

# Ordered on Monday 22 March with amount and mandate in view, so debited at once; fails on the Thursday before Easter
# (U4). What is refused on the spot leaves the sign-up incomplete and is no cell here.
ORDERED_FAILED = [
    "03-25 09:30 attempt 1: insufficient_funds",
    "03-25 09:30 mail debit_notice:2027-04-05",
    "04-05 07:00 retry: processing",
]
ORDERED_LAST = "04-11 07:00 mail last_notice"
ORDERED_NO_FUNDS = [*ORDERED_FAILED, "04-08 09:30 attempt 2: insufficient_funds", ORDERED_LAST]

BEFORE_THE_END: dict[tuple[str, str, str], list[str]] = {
    # retry_later: one repeat, which has a notice of its own. No backup: the payer chose the account.
    (MONTH, ALONE, NO_FUNDS): MONTH_NO_FUNDS,
    (MONTH, WITH_BACKUP, NO_FUNDS): MONTH_NO_FUNDS,
    # retry: the same. Two hours later would be before its notice.
    (MONTH, ALONE, TECHNICAL): MONTH_TECHNICAL,
    (MONTH, WITH_BACKUP, TECHNICAL): MONTH_TECHNICAL,
    # new_payment_method: the mandate ends with it. A card that stands in is charged at once and on the policy's day.
    (MONTH, ALONE, CLOSED): [
        *MONTH_TOLD,
        "03-30 07:00 first: processing",
        "04-02 09:30 attempt 1: account_closed",
        "04-02 09:30 mail payment_failed",
        MONTH_LAST,
    ],
    (MONTH, WITH_BACKUP, CLOSED): [
        *MONTH_TOLD,
        "03-30 07:00 first: processing",
        "04-02 09:30 attempt 1: account_closed",
        "04-02 09:30 backup: insufficient_funds",
        "04-02 09:30 mail payment_failed",
        "04-06 07:00 retry: insufficient_funds",
        MONTH_LAST,
    ],
    # The same, said of the repeat: the policy's day is over by then.
    (MONTH, ALONE, NO_FUNDS_THEN_CLOSED): [
        *MONTH_FAILED,
        "04-14 09:30 attempt 2: account_closed",
        MONTH_LAST,
    ],
    (MONTH, WITH_BACKUP, NO_FUNDS_THEN_CLOSED): [
        *MONTH_FAILED,
        "04-14 09:30 attempt 2: account_closed",
        "04-14 09:30 backup: insufficient_funds",
        MONTH_LAST,
    ],
    # fraud_stop: said on the spot, since no bank was asked.
    (MONTH, ALONE, BLOCKED): [
        *MONTH_TOLD,
        "03-30 07:00 first: highest_risk_level",
        "03-30 07:00 mail payment_failed",
        MONTH_LAST,
    ],
    (MONTH, WITH_BACKUP, BLOCKED): [
        *MONTH_TOLD,
        "03-30 07:00 first: highest_risk_level",
        "03-30 07:00 backup: insufficient_funds",
        "03-30 07:00 mail payment_failed",
        "04-06 07:00 retry: insufficient_funds",
        MONTH_LAST,
    ],
    (YEAR, ALONE, NO_FUNDS): YEAR_NO_FUNDS,
    (YEAR, WITH_BACKUP, NO_FUNDS): YEAR_NO_FUNDS,
    (YEAR, ALONE, TECHNICAL): YEAR_TECHNICAL,
    (YEAR, WITH_BACKUP, TECHNICAL): YEAR_TECHNICAL,
    (YEAR, ALONE, CLOSED): [
        *YEAR_TOLD,
        "03-18 08:00 first: processing",
        "03-22 09:30 attempt 1: account_closed",
        "03-22 09:30 mail payment_failed",
        YEAR_LAST,
    ],
    (YEAR, WITH_BACKUP, CLOSED): [
        *YEAR_TOLD,
        "03-18 08:00 first: processing",
        "03-22 09:30 attempt 1: account_closed",
        "03-22 09:30 backup: insufficient_funds",
        "03-22 09:30 mail payment_failed",
        "03-25 08:00 retry: insufficient_funds",
        YEAR_LAST,
    ],
    (YEAR, ALONE, NO_FUNDS_THEN_CLOSED): [*YEAR_FAILED, "04-05 09:30 attempt 2: account_closed", YEAR_LAST],
    (YEAR, WITH_BACKUP, NO_FUNDS_THEN_CLOSED): [
        *YEAR_FAILED,
        "04-05 09:30 attempt 2: account_closed",
        "04-05 09:30 backup: insufficient_funds",
        YEAR_LAST,
    ],
    (YEAR, ALONE, BLOCKED): [
        *YEAR_TOLD,
        "03-18 08:00 first: highest_risk_level",
        "03-18 08:00 mail payment_failed",
        YEAR_LAST,
    ],
    (YEAR, WITH_BACKUP, BLOCKED): [
        *YEAR_TOLD,
        "03-18 08:00 first: highest_risk_level",
        "03-18 08:00 backup: insufficient_funds",
        "03-18 08:00 mail payment_failed",
        "03-25 08:00 retry: insufficient_funds",
        YEAR_LAST,
    ],
    (FIRST, ALONE, NO_FUNDS): FIRST_NO_FUNDS,
    (FIRST, WITH_BACKUP, NO_FUNDS): FIRST_NO_FUNDS,
    (FIRST, ALONE, TECHNICAL): FIRST_TECHNICAL,
    (FIRST, WITH_BACKUP, TECHNICAL): FIRST_TECHNICAL,
    (FIRST, ALONE, CLOSED): [
        *FIRST_TOLD,
        "01-04 08:00 first: processing",
        "01-07 09:30 attempt 1: account_closed",
        "01-07 09:30 mail payment_failed",
        FIRST_LAST,
    ],
    (FIRST, WITH_BACKUP, CLOSED): [
        *FIRST_TOLD,
        "01-04 08:00 first: processing",
        "01-07 09:30 attempt 1: account_closed",
        "01-07 09:30 backup: insufficient_funds",
        "01-07 09:30 mail payment_failed",
        "01-11 08:00 retry: insufficient_funds",
        FIRST_LAST,
    ],
    (FIRST, ALONE, NO_FUNDS_THEN_CLOSED): [
        *FIRST_FAILED,
        "01-19 09:30 attempt 2: account_closed",
        FIRST_LAST,
    ],
    (FIRST, WITH_BACKUP, NO_FUNDS_THEN_CLOSED): [
        *FIRST_FAILED,
        "01-19 09:30 attempt 2: account_closed",
        "01-19 09:30 backup: insufficient_funds",
        FIRST_LAST,
    ],
    (FIRST, ALONE, BLOCKED): [
        *FIRST_TOLD,
        "01-04 08:00 first: highest_risk_level",
        "01-04 08:00 mail payment_failed",
        FIRST_LAST,
    ],
    (FIRST, WITH_BACKUP, BLOCKED): [
        *FIRST_TOLD,
        "01-04 08:00 first: highest_risk_level",
        "01-04 08:00 backup: insufficient_funds",
        "01-04 08:00 mail payment_failed",
        "01-11 08:00 retry: insufficient_funds",
        FIRST_LAST,
    ],
    (ORDERED, ALONE, NO_FUNDS): ORDERED_NO_FUNDS,
    (ORDERED, WITH_BACKUP, NO_FUNDS): ORDERED_NO_FUNDS,
    (ORDERED, ALONE, CLOSED): [
        "03-25 09:30 attempt 1: account_closed",
        "03-25 09:30 mail payment_failed",
        ORDERED_LAST,
    ],
    (ORDERED, WITH_BACKUP, CLOSED): [
        "03-25 09:30 attempt 1: account_closed",
        "03-25 09:30 backup: insufficient_funds",
        "03-25 09:30 mail payment_failed",
        "03-29 07:00 retry: insufficient_funds",
        ORDERED_LAST,
    ],
    (ORDERED, ALONE, NO_FUNDS_THEN_CLOSED): [
        *ORDERED_FAILED,
        "04-08 09:30 attempt 2: account_closed",
        ORDERED_LAST,
    ],
    (ORDERED, WITH_BACKUP, NO_FUNDS_THEN_CLOSED): [
        *ORDERED_FAILED,
        "04-08 09:30 attempt 2: account_closed",
        "04-08 09:30 backup: insufficient_funds",
        ORDERED_LAST,
    ],
    # Paid, and taken back on 19 May: a chase of its own that begins with the mail about that. Nothing is charged,
    # and nothing stands in for it (rules 16, U5).
    (BACK, ALONE, TAKEN_BACK): [
        "05-22 07:00 mail reminder:3",
        "05-26 07:00 mail reminder:7",
        "06-02 07:00 mail last_notice",
    ],
    (BACK_OF_YEAR, ALONE, TAKEN_BACK): [
        "05-26 07:00 mail reminder:7",
        "06-02 07:00 mail reminder:14",
        "06-16 07:00 mail last_notice",
    ],
}
CHARGES: dict[tuple[str, str], int] = {
    (NO_FUNDS, ALONE): 2,
    (NO_FUNDS, WITH_BACKUP): 2,
    (TECHNICAL, ALONE): 2,
    (TECHNICAL, WITH_BACKUP): 2,
    (CLOSED, ALONE): 1,
    (CLOSED, WITH_BACKUP): 3,
    (NO_FUNDS_THEN_CLOSED, ALONE): 2,
    (NO_FUNDS_THEN_CLOSED, WITH_BACKUP): 3,
    (BLOCKED, ALONE): 1,
    (BLOCKED, WITH_BACKUP): 3,
    (TAKEN_BACK, ALONE): 0,
}
END_DAY = {
    MONTH: "04-26 07:00",
    YEAR: "05-02 07:00",
    FIRST: "01-28 08:00",
    ORDERED: "04-15 07:00",
    BACK: "06-09 07:00",
    BACK_OF_YEAR: "07-03 07:00",
}
BEGUN = {
    MONTH: "2027-03-23T10:00",
    YEAR: "2027-03-15T10:00",
    FIRST: "2026-12-29T10:00",
    ORDERED: "2027-03-22T10:00",
    BACK: "2027-05-19T09:30",
    BACK_OF_YEAR: "2027-05-19T09:30",
}
POLICY: dict[str, DunningPolicy] = {
    MONTH: SEPA,
    YEAR: SEPA_ANNUAL,
    FIRST: SEPA_FIRST_PAYMENT,
    ORDERED: SEPA_FIRST_PAYMENT,
    # There is no account any more that could be debited.
    BACK: MONTHLY,
    BACK_OF_YEAR: ANNUAL,
}
