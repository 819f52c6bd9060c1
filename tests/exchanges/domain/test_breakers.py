"""When a process that is on its own takes a venue for broken."""

from exchanges.domain.breakers import BreakerTerms, LocalBreaker, Verdict
from exchanges.domain.priorities import CallPriority

TERMS = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=100_000)
ENTRY = CallPriority.ENTRY


def broken(*, at_ms: int = 0) -> LocalBreaker:
    breaker = LocalBreaker(TERMS)
    breaker.note(ok=10, bad=10, now_ms=at_ms)
    return breaker


def test_few_failures_are_no_break():
    breaker = LocalBreaker(TERMS)

    breaker.note(ok=0, bad=19, now_ms=0)

    assert breaker.verdict(ENTRY, now_ms=1) is Verdict.PASS


def test_failures_of_long_ago_do_not_count():
    breaker = LocalBreaker(TERMS)
    breaker.note(ok=0, bad=19, now_ms=0)

    breaker.note(ok=1, bad=1, now_ms=60_001)

    assert breaker.verdict(ENTRY, now_ms=60_002) is Verdict.PASS


def test_half_of_twenty_break_it_for_all_but_what_makes_things_smaller():
    breaker = broken()

    assert breaker.verdict(ENTRY, now_ms=29_999) is Verdict.REFUSE
    assert breaker.verdict(CallPriority.EXIT, now_ms=1) is Verdict.PASS
    assert breaker.verdict(CallPriority.CANCEL, now_ms=1) is Verdict.PASS


def test_after_the_pause_one_call_tries_and_others_wait_for_what_becomes_of_it():
    breaker = broken()

    assert breaker.verdict(ENTRY, now_ms=30_000) is Verdict.PROBE
    breaker.probing(until_ms=45_000)

    assert breaker.verdict(ENTRY, now_ms=30_001) is Verdict.REFUSE


def test_a_good_answer_closes_it():
    breaker = broken()

    breaker.note(ok=1, bad=0, now_ms=30_500)

    assert breaker.verdict(ENTRY, now_ms=30_501) is Verdict.PASS


def test_a_bad_one_makes_the_next_pause_twice_as_long_up_to_the_longest():
    breaker, now_ms, pauses = broken(), 0, []
    for _ in range(4):
        began_ms = now_ms
        while breaker.verdict(ENTRY, now_ms=now_ms) is Verdict.REFUSE:
            now_ms += 1_000
        pauses.append(now_ms - began_ms)
        breaker.note(ok=0, bad=1, now_ms=now_ms)

    assert pauses == [30_000, 60_000, 100_000, 100_000]


def test_a_bar_by_the_venue_opens_it_at_once():
    breaker = LocalBreaker(TERMS)

    breaker.note(ok=0, bad=0, now_ms=0, is_barred=True)

    assert breaker.verdict(ENTRY, now_ms=1) is Verdict.REFUSE
