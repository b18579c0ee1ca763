"""What a person's decision makes of a chase: typed timelines, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest
from chase_walk import Walk, at, driving

from billing.case import Case, Role, ends_on
from billing.errors import RelanceError
from billing.payment import Trigger
from billing.refusal import Refused
from billing.steering import Directive, Extend, Hold, Promise, Release, Skip, Steered, steer

NO = "insufficient_funds"


def chased() -> Walk:
    """Declined on 1 February; retries on the 2nd, 4th, 8th and 15th, the end on the 22nd."""
    return Walk(driving(NO), "2027-02-01T00:30", [NO] * 9)


def steers(walk: Walk, when: str, directive: Directive) -> None:
    walk.until(when)
    done: Steered = steer(walk.case, directive, at(when), most_promise_days=30)
    moved = dict(done.progress, day0=walk.case.day0)
    walk.change(when, **moved, promise_on=done.promise_on, held_until=done.held_until)


def ahead(walk: Walk, until: str) -> list[str]:
    """What happens from now on."""
    so_far = len(walk.diary)
    return walk.until(until)[so_far:]


def refusal(case: Case, when: str, directive: Directive) -> tuple[str | None, str]:
    with pytest.raises(RelanceError) as refused:
        steer(case, directive, at(when), most_promise_days=30)
    assert isinstance(refused.value, Refused)
    return refused.value.field, refused.value.message


def test_a_pause_drops_what_falls_into_it_and_later_steps_keep_their_days() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 2, 10)))
    assert ahead(walk, "2027-03-01") == [
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_pause_past_the_last_notice_moves_it_and_the_end_keeps_its_distance() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 3, 1)))
    assert ahead(walk, "2027-04-01") == [
        "03-01 08:00 mail last_notice",
        "03-08 08:00 end: suspend, leave_open",
    ]


def test_a_release_takes_up_the_days_that_are_ahead() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 3, 1)))
    steers(walk, "2027-02-09T12:00", Release(command_id="r"))
    assert ahead(walk, "2027-03-01") == [
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_release_after_the_last_notices_day_writes_it_at_once() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 3, 20)))
    steers(walk, "2027-02-26T12:00", Release(command_id="r"))
    assert ahead(walk, "2027-04-01") == [
        "02-26 12:00 mail last_notice",
        "03-05 08:00 end: suspend, leave_open",
    ]


def test_a_promise_is_released_without_a_charge() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Promise(command_id="p", on=date(2027, 2, 20)))
    steers(walk, "2027-02-05T12:00", Release(command_id="r"))
    assert ahead(walk, "2027-02-16") == [
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
    ]


def test_a_skipped_charge_leaves_its_mail_and_all_that_follows() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Skip(command_id="s"))
    assert ahead(walk, "2027-02-09") == [
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
    ]
    steers(walk, "2027-02-09T12:00", Skip(command_id="t"))
    assert ahead(walk, "2027-03-01") == [
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_skipped_reminder() -> None:
    """Without a charge, for a method that can't be charged, only mails are planned."""
    walk = Walk(driving("incorrect_cvc"), "2027-02-01T00:30", [])
    steers(walk, "2027-02-01T12:00", Skip(command_id="s"))
    assert ahead(walk, "2027-02-10") == ["02-08 08:00 mail reminder:7"]


def test_more_time_moves_the_end_only() -> None:
    walk = chased()
    steers(walk, "2027-02-10T12:00", Extend(command_id="e", end_on=date(2027, 3, 10)))
    assert ahead(walk, "2027-04-01") == [
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "03-10 08:00 end: suspend, leave_open",
    ]


def test_who_is_released_after_the_last_notice_has_the_policys_notice_again() -> None:
    """The last notice of 15 February named the 22nd; a pause until May moved it, and is taken back on 1 March."""
    walk = chased()
    walk.until("2027-02-16")
    steers(walk, "2027-02-16T12:00", Hold(command_id="h", until=date(2027, 5, 1)))
    walk.until("2027-03-01")
    steers(walk, "2027-03-01T12:00", Release(command_id="r"))
    assert ahead(walk, "2027-04-01") == ["03-08 08:00 end: suspend, leave_open"]


def test_a_release_before_the_last_notice_moves_no_end() -> None:
    walk = chased()
    walk.until("2027-02-04")
    steers(walk, "2027-02-04T12:00", Hold(command_id="h", until=date(2027, 2, 20)))
    steers(walk, "2027-02-05T12:00", Release(command_id="r"))
    assert ahead(walk, "2027-04-01")[-2:] == [
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


@pytest.mark.parametrize(
    ("directive", "field", "words"),
    [
        (Promise(command_id="p", on=date(2027, 2, 3)), "on", "from 2027-02-04 to 2027-03-05"),
        (Promise(command_id="p", on=date(2027, 3, 6)), "on", "from 2027-02-04 to 2027-03-05"),
        (Hold(command_id="h", until=date(2027, 1, 1)), "until", "from 2027-02-04 to 2027-05-04"),
        (Release(command_id="r"), "invoice", "Nothing holds this chase"),
        (Extend(command_id="e", end_on=date(2027, 2, 22)), "end_on", "ends on 2027-02-22"),
        (Extend(command_id="e", end_on=date(2027, 6, 1)), "end_on", "2027-05-23 at the latest"),
    ],
)
def test_dates_that_make_no_sense_are_refused(directive: Directive, field: str, words: str) -> None:
    walk = chased()
    walk.until("2027-02-03T12:00")
    named, message = refusal(walk.case, "2027-02-03T12:00", directive)
    assert named == field
    assert words in message


def test_a_promise_takes_the_place_of_a_pause_and_its_charge_is_made() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 2, 14)))
    steers(walk, "2027-02-05T12:00", Promise(command_id="p", on=date(2027, 2, 9)))
    assert ahead(walk, "2027-02-16") == [
        "02-09 08:00 promise: insufficient_funds",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
    ]


def test_a_second_promise_waits_for_the_first() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Promise(command_id="p", on=date(2027, 2, 20)))
    again = Promise(command_id="q", on=date(2027, 2, 25))
    assert refusal(walk.case, "2027-02-05T12:00", again) == (
        "on",
        "A payment is promised for 2027-02-20 already. Release that promise first.",
    )
    # Broken, a new one may be given.
    walk.until("2027-02-21")
    assert steer(walk.case, again, at("2027-02-21T12:00"), most_promise_days=30).promise_on == date(
        2027, 2, 25
    )


def test_neither_the_last_notice_nor_the_end_nor_a_repeat_is_skipped() -> None:
    walk = Walk(driving("incorrect_cvc"), "2027-02-01T00:30", [])
    walk.until("2027-02-09")
    assert "last notice" in refusal(walk.case, "2027-02-09T12:00", Skip(command_id="s"))[1]
    walk.until("2027-02-16")
    assert "it is the end; extend it" in refusal(walk.case, "2027-02-16T12:00", Skip(command_id="s"))[1]
    technical = Walk(driving("processing_error"), "2027-02-01T00:30", [NO])
    technical.until("2027-02-01T01:00")
    assert "repeat within hours" in refusal(technical.case, "2027-02-01T01:00", Skip(command_id="s"))[1]
    promised = chased()
    steers(promised, "2027-02-03T12:00", Promise(command_id="p", on=date(2027, 2, 20)))
    assert "release the promise" in refusal(promised.case, "2027-02-05T12:00", Skip(command_id="s"))[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_open": False}, "Nothing is owed"),
        ({"ended": True}, "has ended"),
        ({"role": Role.GATED, "deadline_at": at("2027-02-02T00:00")}, "waits for its first payment"),
    ],
)
def test_what_is_not_chased_is_not_steered(changes: dict[str, object], words: str) -> None:
    case = driving(NO).model_copy(update=changes)
    for directive in (
        Promise(command_id="p", on=date(2027, 2, 10)),
        Hold(command_id="h", until=date(2027, 2, 10)),
        Release(command_id="r"),
        Skip(command_id="s"),
        Extend(command_id="e", end_on=date(2027, 3, 1)),
    ):
        assert words in refusal(case, "2027-02-03T12:00", directive)[1]


def test_what_a_person_asks_for_is_charged_in_a_pause_too() -> None:
    walk = chased()
    steers(walk, "2027-02-03T12:00", Hold(command_id="h", until=date(2027, 2, 10)))
    walk.change("2027-02-06T15:00", asked=(Trigger.CUSTOMER,))
    assert ahead(walk, "2027-02-07") == ["02-06 15:00 customer: insufficient_funds"]
    assert ends_on(walk.case, at("2027-02-07T12:00")) == date(2027, 2, 22)
