"""What a bucket leaves: crowds form, are shown whole, end and come back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.web.rooms.aggregation import (
    WAITING,
    Closing,
    Ledger,
    Person,
    Rules,
    Sums,
    Tally,
    close_bucket,
    count_hold,
    estimate_interval,
    place_contribution,
)

RULES = Rules(min_group=5, hold=8)


class Bench:
    """A room on the bench: people are letters, everybody's contribution is a choice of two."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.ledger = Ledger()
        self.rng = random.Random(1)

    def close(self, names: str, *, gone: str = "", choices: dict[str, int] | None = None, skip: int = 1) -> Closing:
        people = dict(self.ledger.people)
        sums: Sums = {}
        bucket = self.ledger.bucket
        for name in names:
            person = people.get(name, Person())
            counted, crowd = place_contribution(person, bucket)
            assert counted != "already"
            if crowd is not None:
                choice = (choices or {}).get(name, 0)
                sums[crowd] = sums.get(crowd, Tally(0, (0, 0))).add((1 - choice, choice))
            people[name] = Person(bucket, person.crowd, person.held_until, bucket)
        for name in gone:
            known = people[name]
            people[name] = Person(known.contributed, known.crowd, known.held_until, known.seen, gone=True)
        closing = close_bucket(
            Ledger(bucket, people, self.ledger.crowds, self.ledger.next_crowd),
            sums,
            bucket + skip,
            self.rules,
            self.rng,
        )
        self.ledger = closing.ledger
        return closing


def test_nothing_is_shown_of_four_and_the_fifth_brings_the_sums():
    bench = Bench()
    assert bench.close("abcd").tally is None
    closing = bench.close("abcde", choices={"e": 1})
    assert closing.tally == Tally(5, (4, 1))
    assert (closing.withheld, closing.why) == (0, None)


def test_too_few_says_so():
    closing = Bench().close("abcd")
    assert (closing.tally, closing.withheld, closing.why, closing.returns) == (None, 4, "few", None)


def test_the_sixth_waits_until_five_more_wait():
    bench = Bench()
    bench.close("abcde")
    closing = bench.close("abcdef")
    assert closing.tally == Tally(5, (5, 0))
    assert (closing.withheld, closing.why) == (1, "few")
    assert bench.close("abcdefghij").tally == Tally(10, (10, 0))


def test_who_comes_together_is_split_into_crowds_of_at_least_the_minimum():
    bench = Bench()
    assert bench.close("abcdefghijklmn").tally == Tally(14, (14, 0))
    sizes = sorted(sum(p.crowd == crowd for p in bench.ledger.people.values()) for crowd in bench.ledger.crowds)
    assert sizes == [7, 7]


def test_a_crowd_is_shown_whole_or_not_at_all():
    bench = Bench()
    bench.close("abcde")
    closing = bench.close("abcd")
    assert (closing.tally, closing.withheld, closing.why) == (None, 4, "change")
    assert bench.close("abcde").tally == Tally(5, (5, 0))  # a lost bucket is forgiven


@pytest.mark.parametrize("how", ["leaves", "is silent"])
def test_a_crowd_that_loses_somebody_is_held(how: str):
    bench = Bench()
    bench.close("abcdefg")  # shown in bucket 0
    closings = [bench.close("abcdef", gone="g" if how == "leaves" and i == 0 else "") for i in range(RULES.hold)]
    assert [c.tally for c in closings[:-1]] == [None] * (RULES.hold - 1)
    assert {c.why for c in closings[:-1]} == {"change"}
    assert {c.returns for c in closings[:-1]} == {RULES.hold}
    assert closings[-1].tally == Tally(6, (6, 0))
    assert bench.ledger.bucket - 1 == RULES.hold


def test_who_comes_back_makes_the_crowd_whole():
    bench = Bench()
    bench.close("abcde")
    for _ in range(RULES.hold - 3):
        assert bench.close("abcd").tally is None
    assert bench.close("abcdefghi").tally == Tally(5, (5, 0))
    assert bench.close("abcdefghij").tally == Tally(10, (10, 0))


def test_a_crowd_that_is_whole_now_and_then_goes_on():
    bench = Bench()
    bench.close("abcde")
    for i in range(5 * RULES.hold):
        assert (bench.close("abcde" if i % 3 == 2 else "abcd").tally is None) == (i % 3 != 2)


def test_people_of_a_crowd_that_is_over_wait_with_the_others():
    bench = Bench()
    bench.close("abcde")
    for _ in range(RULES.hold - 1):
        bench.close("abcf")
    assert bench.close("abcf").withheld == 4
    assert bench.close("abcfg").tally == Tally(5, (5, 0))


def test_an_empty_hour_ends_crowds():
    bench = Bench()
    bench.close("abcde")
    bench.close("", skip=360)
    assert not bench.ledger.crowds
    assert set(bench.ledger.people) == set("abcde")
    assert bench.close("abcdf").tally == Tally(5, (5, 0))


@pytest.mark.parametrize("formed", ["before", "in it"])
def test_a_crowd_of_a_bucket_that_closes_late_lasts_from_then(formed: str):
    """What was shown of it may have been said a moment ago."""
    bench = Bench()
    if formed == "before":
        bench.close("abcde")
    late = bench.close("abcde", skip=360)
    assert (late.tally, late.withheld) == (Tally(5, (5, 0)), 0)
    assert {p.held_until for p in bench.ledger.people.values()} == {0}
    closings = [bench.close("bcdef") for _ in range(RULES.hold)]
    assert [c.tally for c in closings] == [None] * (RULES.hold - 1) + [Tally(5, (5, 0))]
    assert {c.why for c in closings[:-1]} == {"change"}
    assert {c.returns for c in closings[:-1]} == {late.ledger.bucket - 1 + RULES.hold}


def test_people_of_other_crowds_are_shown_while_one_is_held():
    bench = Bench()
    bench.close("abcde")
    bench.close("abcdefghij")
    closing = bench.close("abcdefghi", gone="j")
    assert closing.tally == Tally(5, (5, 0))
    assert (closing.withheld, closing.why) == (4, "change")


def test_a_crowd_that_is_never_whole_is_over():
    bench = Bench()
    bench.close("abcde")
    for i in range(RULES.hold - 1):
        assert bench.close("abcd" if i % 2 else "abce").tally is None
    assert not bench.ledger.crowds
    assert {p.crowd for p in bench.ledger.people.values()} == {WAITING}


def test_who_left_is_forgotten_when_nothing_of_them_can_be_subtracted_any_more():
    bench = Bench()
    bench.close("abcde")
    bench.close("abcd", gone="e")
    for _ in range(RULES.hold - 3):
        bench.close("abcd")
        assert "e" in bench.ledger.people
    bench.close("abcd")
    assert "e" not in bench.ledger.people


def test_who_only_waited_is_forgotten_at_once_when_they_leave():
    bench = Bench()
    bench.close("ab", gone="b")
    assert set(bench.ledger.people) == {"a"}


def test_sums_that_do_not_fit_the_people_are_not_shown():
    people = {name: Person(0) for name in "abcde"}
    closing = close_bucket(Ledger(0, people), {WAITING: Tally(6, (6, 0))}, 1, RULES, random.Random(1))
    assert closing.tally is None


def test_one_contribution_per_bucket():
    assert place_contribution(Person(contributed=4), 4) == ("already", None)
    assert place_contribution(Person(contributed=3, crowd=2), 4) == ("crowd", 2)
    assert place_contribution(Person(contributed=3, crowd=2, held_until=5), 4) == ("held", 2)
    assert place_contribution(Person(contributed=3), 4) == ("waiting", WAITING)


def test_a_choice_that_a_page_repeats_is_never_in_two_crowds():
    # Made in the last moment of a bucket and repeated for 300 s, it is in 31 buckets.
    assert count_hold(300, 10) == 31


@pytest.mark.parametrize(
    ("share", "people", "expected"),
    [(0.2, 10, (0.0567, 0.5098)), (0, 5, (0, 0.4345)), (1, 5, (0.5655, 1)), (0.5, 200, (0.4314, 0.5686))],
)
def test_wilson(share: float, people: int, expected: tuple[float, float]):
    assert estimate_interval(share, people) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_its_share(count: int, people: int):
    share = min(count, people) / people
    low, high = estimate_interval(share, people)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_nobody_says_nothing():
    assert estimate_interval(0.0, 0) == (0.0, 1.0)
