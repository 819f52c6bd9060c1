"""The arithmetic of a budget: never more than it in any span, reserves, turns; in Python and in Redis alike."""

import secrets
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.adapters.budget_store import SharedBudget
from exchanges.domain.breakers import BreakerTerms
from exchanges.domain.budgets import FOREIGN, Claim, Limit, LocalBudget, Ticket
from exchanges.domain.priorities import CallPriority

START_MS = 1_700_000_000_000
LIMIT = Limit(100, 60_000)
TERMS = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=600_000)

_numbers = count(1)


def ticket(priority=CallPriority.ENTRY, *, weight=1, owner="ann", claims=()):
    return Ticket(next(_numbers), priority, weight, owner, tuple(claims))


@pytest.fixture
def shared():
    return SharedBudget(f"test-{secrets.token_hex(8)}")


ASKING = st.builds(
    ticket,
    st.sampled_from(CallPriority),
    weight=st.integers(1, 30),
    owner=st.sampled_from(["", "ann", "bob", "eve"]),
    claims=st.lists(
        st.builds(
            Claim,
            name=st.sampled_from(["key:1", "key:2"]),
            limit=st.just(Limit(40, 20_000)),
            weight=st.integers(1, 40),
        ),
        max_size=1,
    ),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 40_000), st.lists(ASKING, max_size=6)), min_size=1, max_size=12
)


class TestOneBudget:
    @given(steps=STEPS)
    @settings(max_examples=60)
    def test_redis_and_python_agree_and_no_span_ever_sees_more_than_the_budget(self, steps):
        shared, alone = SharedBudget(f"test-{secrets.token_hex(8)}"), LocalBudget(LIMIT)
        weights, spent, now_ms = {}, [], START_MS
        for passed_ms, tickets in steps:
            now_ms += passed_ms
            for each in tickets:
                weights[each.number] = each.weight
                alone.line_up(each)

            answer = shared.poll(LIMIT, tickets=tickets, now_ms=now_ms)
            polled = alone.poll(now_ms=now_ms)

            assert answer.polled == polled
            assert answer.used == sum(alone.used(now_ms=now_ms))
            spent += [(now_ms, weights[number]) for number in polled.granted]
        for begin_ms, _ in spent:
            within = [weight for at, weight in spent if 0 <= at - begin_ms < LIMIT.span_ms]
            assert sum(within) <= LIMIT.weight

    @given(steps=STEPS)
    def test_a_wait_that_is_told_is_never_too_long(self, steps):
        """Whoever is told to wait so long may not go any earlier, or nobody could be refused for lateness."""
        budget, now_ms = LocalBudget(LIMIT), START_MS
        not_before: dict[int, int] = {}
        for passed_ms, tickets in steps:
            now_ms += passed_ms
            for each in tickets:
                budget.line_up(each)
            polled = budget.poll(now_ms=now_ms)
            for number in polled.granted:
                assert now_ms >= not_before.get(number, 0)
            not_before |= {number: now_ms + wait for number, wait in polled.held.items()}

    def test_what_was_spent_counts_for_a_whole_span_and_no_longer_than_a_twentieth_more(self):
        budget = LocalBudget(LIMIT)
        budget.spend(100, kind=FOREIGN, now_ms=START_MS)

        assert sum(budget.used(now_ms=START_MS + 60_000)) == 100
        assert sum(budget.used(now_ms=START_MS + 63_000)) == 0

    def test_each_priority_leaves_the_reserves_of_those_above_it_alone(self):
        reached = {}
        for priority in CallPriority:
            budget = LocalBudget(LIMIT)
            for _ in range(150):
                budget.line_up(ticket(priority))
            reached[priority.name] = len(budget.poll(now_ms=START_MS).granted)

        assert reached == {
            "CANCEL": 100,
            "RECONCILE": 70,
            "EXIT": 75,
            "ENTRY": 55,
            "DATA": 40,
            "BACKFILL": 30,
        }

    def test_exits_and_cancellations_find_room_however_much_the_others_ask_for(self):
        budget = LocalBudget(LIMIT)
        for priority in (CallPriority.BACKFILL, CallPriority.ENTRY, CallPriority.RECONCILE):
            for _ in range(200):
                budget.line_up(ticket(priority))
            budget.poll(now_ms=START_MS)
        exits = [ticket(CallPriority.EXIT) for _ in range(20)]
        cancels = [ticket(CallPriority.CANCEL) for _ in range(10)]
        for each in (*exits, *cancels):
            budget.line_up(each)

        granted = set(budget.poll(now_ms=START_MS).granted)

        assert granted == {each.number for each in (*exits, *cancels)}

    def test_owners_take_turns_so_that_the_many_of_one_do_not_stand_before_the_few_of_another(self):
        budget = LocalBudget(Limit(40, 60_000))
        noisy = [ticket(owner="noisy") for _ in range(50)]
        quiet = [ticket(owner="quiet") for _ in range(5)]
        for each in (*noisy, *quiet):
            budget.line_up(each)

        granted = set(budget.poll(now_ms=START_MS).granted)

        assert {each.number for each in quiet} <= granted
        assert len(granted) == 22

    def test_a_heavy_call_is_not_overtaken_for_ever_by_light_ones(self):
        budget = LocalBudget(LIMIT)
        heavy = ticket(weight=50, owner="heavy")
        budget.spend(20, kind=FOREIGN, now_ms=START_MS)
        budget.line_up(heavy)
        budget.line_up(ticket(owner="light"))

        assert budget.poll(now_ms=START_MS).granted == []
        assert budget.poll(now_ms=START_MS + 63_000).granted[0] == heavy.number


class TestTheSharedBudget:
    def test_two_processes_spend_one_budget(self, shared):
        other = SharedBudget(shared._lane)
        mine = shared.poll(LIMIT, tickets=[ticket() for _ in range(40)])
        theirs = other.poll(LIMIT, tickets=[ticket() for _ in range(40)])

        assert (len(mine.polled.granted), len(theirs.polled.granted)) == (40, 15)

    def test_whoever_is_more_urgent_goes_first_whichever_process_has_it(self, shared):
        limit = Limit(10, 1_000)
        other = SharedBudget(shared._lane)
        shared.poll(limit, observed=9, now_ms=START_MS)
        entries = [ticket() for _ in range(5)]
        exits = [ticket(CallPriority.EXIT, weight=5)]
        assert shared.poll(limit, tickets=entries, now_ms=START_MS).polled.granted == []
        assert other.poll(limit, tickets=exits, now_ms=START_MS).polled.granted == []

        # All is free again; the entries ask first, and still leave the exit what it waits for.
        early = shared.poll(limit, now_ms=START_MS + 1_100)
        late = other.poll(limit, now_ms=START_MS + 1_100)

        assert late.polled.granted == [exits[0].number]
        assert len(early.polled.granted) == 3

    def test_tickets_of_a_process_that_died_hold_nobody_back(self, shared):
        dead = SharedBudget(shared._lane)
        dead.poll(LIMIT, observed=99, now_ms=START_MS)
        dead.poll(LIMIT, tickets=[ticket(CallPriority.CANCEL, weight=60)], now_ms=START_MS)
        mine = ticket(weight=30)

        blocked = shared.poll(LIMIT, tickets=[mine], now_ms=START_MS + 1_000)
        free = shared.poll(LIMIT, now_ms=START_MS + 64_000)

        assert blocked.polled.granted == []
        assert free.polled.granted == [mine.number]

    def test_what_the_venue_has_counted_is_believed_if_it_is_more(self, shared):
        shared.poll(LIMIT, tickets=[ticket() for _ in range(10)])

        assert shared.poll(LIMIT, observed=7).used == 10
        assert shared.poll(LIMIT, observed=30).used == 30
        assert len(shared.poll(LIMIT, tickets=[ticket() for _ in range(60)]).polled.granted) == 25

    def test_a_ban_holds_everybody_back_and_ends_by_itself(self, shared):
        shared.report(TERMS, ok=0, bad=0, ban_ms=60_000)
        urgent = ticket(CallPriority.CANCEL)

        answer = SharedBudget(shared._lane).poll(LIMIT, tickets=[urgent])

        assert answer.polled.granted == []
        assert 59_000 < answer.banned_ms <= 60_000

    def test_a_shorter_ban_does_not_cut_a_longer_one_short(self, shared):
        shared.report(TERMS, ok=0, bad=0, ban_ms=60_000)
        shared.report(TERMS, ok=0, bad=0, ban_ms=1_000)

        assert shared.poll(LIMIT).banned_ms > 50_000


class TestTheBreaker:
    def answers(self, shared, *, at_s=0):
        """What happens to one call of each kind that matters."""
        entry, leaving = ticket(), ticket(CallPriority.EXIT)
        answer = shared.poll(LIMIT, tickets=[entry, leaving], now_ms=START_MS + at_s * 1_000)
        assert leaving.number in answer.polled.granted
        return "goes" if entry.number in answer.polled.granted else "refused"

    def break_it(self, shared, *, at_s=0):
        shared.report(TERMS, ok=10, bad=10, now_ms=START_MS + at_s * 1_000)

    def test_half_of_twenty_calls_open_it_and_only_exits_pass(self, shared):
        shared.report(TERMS, ok=9, bad=10, now_ms=START_MS)
        assert self.answers(shared) == "goes"

        shared.report(TERMS, ok=1, bad=0, now_ms=START_MS)

        assert self.answers(shared, at_s=1) == "refused"
        assert self.answers(shared, at_s=29) == "refused"

    def test_errors_of_long_ago_do_not_count(self, shared):
        shared.report(TERMS, ok=0, bad=19, now_ms=START_MS)
        shared.report(TERMS, ok=1, bad=1, now_ms=START_MS + 70_000)

        assert self.answers(shared, at_s=70) == "goes"

    def test_after_its_time_one_call_tries_and_a_good_answer_closes_it(self, shared):
        self.break_it(shared)

        assert [self.answers(shared, at_s=31), self.answers(shared, at_s=31)] == ["goes", "refused"]
        shared.report(TERMS, ok=1, bad=0, now_ms=START_MS + 32_000)

        assert self.answers(shared, at_s=33) == "goes"

    def test_each_failed_try_doubles_the_time_up_to_the_longest(self, shared):
        self.break_it(shared)
        at_s, pauses = 0, []
        for _ in range(7):
            opened_s = at_s
            while self.answers(shared, at_s=at_s) == "refused":
                at_s += 10
            pauses.append(at_s - opened_s)
            shared.report(TERMS, ok=0, bad=1, now_ms=START_MS + at_s * 1_000)

        assert pauses == [30, 60, 120, 240, 480, 600, 600]

    def test_a_bar_of_the_address_opens_it_at_once(self, shared):
        shared.report(TERMS, ok=0, bad=0, is_barred=True, now_ms=START_MS)

        assert self.answers(shared, at_s=1) == "refused"
