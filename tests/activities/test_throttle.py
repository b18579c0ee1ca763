import pytest

from activities.throttle import TokenBucket
from billing.errors import InvalidInput


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))


async def test_calls_that_come_together_are_spread_over_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(4, now=clock.now, sleep=clock.sleep)
    for _ in range(4):
        await bucket.turn()
    assert clock.waits == [0.25, 0.5, 0.75]


async def test_a_burst_goes_through_at_once_and_is_paid_back() -> None:
    clock = Clock()
    bucket = TokenBucket(2, burst=3, now=clock.now, sleep=clock.sleep)
    for _ in range(5):
        await bucket.turn()
    assert clock.waits == [0.5, 1.0]


async def test_rest_gives_back_no_more_than_the_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(2, burst=2, now=clock.now, sleep=clock.sleep)
    await bucket.turn()
    clock.seconds += 3600
    for _ in range(3):
        await bucket.turn()
    assert clock.waits == [0.5]


async def test_it_waits_on_the_real_clock_too() -> None:
    bucket = TokenBucket(1000)
    for _ in range(3):
        await bucket.turn()


@pytest.mark.parametrize(
    ("rate", "burst", "field"), [(0, 1, "per_second"), (-1, 1, "per_second"), (1, 0, "burst")]
)
def test_a_rate_that_lets_nothing_through_is_refused(rate: float, burst: int, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TokenBucket(rate, burst=burst)
    assert caught.value.field == field
