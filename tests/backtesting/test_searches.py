"""Where sweeps look: every point once, within bounds and on steps, the same for the same seed."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.domain import axes, heatmaps, trials
from backtesting.domain.guided import GuidedSearch
from backtesting.domain.objectives import FIGURES, OBJECTIVES
from backtesting.domain.searches import Axis, Space, random_points
from backtesting.domain.trials import Trials
from strategies import registry

EMA = registry.get_definition("ema-crossover")

values = st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=6, unique=True)
texts = st.lists(st.sampled_from(["BOTH", "LONG", "SHORT"]), min_size=1, max_size=3, unique=True)
discrete = st.lists(st.one_of(values, texts), min_size=1, max_size=4).map(
    lambda lists: Space(tuple(Axis(f"p{n}", tuple(each)) for n, each in enumerate(lists)))
)
mixed = st.tuples(discrete, st.floats(-100, 100), st.floats(0.01, 100)).map(
    lambda parts: Space((*parts[0].axes, Axis("free", low=parts[1], high=parts[1] + parts[2])))
)


def is_inside(space, point):
    return all(
        axis.low <= value <= axis.high if axis.is_continuous else value in axis.values
        for axis, value in zip(space.axes, point, strict=True)
    )


class TestGrid:
    @given(discrete)
    def test_every_point_comes_exactly_once(self, space):
        points = list(space.grid())

        assert len(points) == len(set(points)) == space.size
        assert all(is_inside(space, point) for point in points)

    @given(st.one_of(discrete, mixed))
    def test_axes_survive_storage(self, space):
        assert tuple(Axis.from_json(axis.to_json()) for axis in space.axes) == space.axes

    @given(mixed)
    def test_corners_are_points_of_the_space(self, space):
        corners = list(space.corners())

        assert corners
        assert all(is_inside(space, corner) for corner in corners)


class TestRandom:
    @given(st.one_of(discrete, mixed), st.integers(1, 40), st.integers(0, 2**31 - 1))
    def test_points_are_different_inside_and_the_same_for_the_same_seed(self, space, count, seed):
        points = random_points(space, count=count, seed=seed, is_possible=lambda _: True)
        again = random_points(space, count=count, seed=seed, is_possible=lambda _: True)

        assert list(points) == list(again)
        assert len(points) == len(set(points))
        assert all(is_inside(space, point) for point in points)
        if space.size is not None:
            assert len(points) == min(count, space.size)

    @given(discrete, st.integers(0, 100))
    def test_impossible_points_are_left_out(self, space, seed):
        def is_possible(point):
            return hash(point) % 2 == 0

        points = random_points(space, count=10_000, seed=seed, is_possible=is_possible)

        assert set(points) == {point for point in space.grid() if is_possible(point)}

    def test_an_empty_continuous_space_ends(self):
        space = Space((Axis("free", low=0.0, high=1.0),))

        assert random_points(space, count=3, seed=1, is_possible=lambda _: False) == []


class TestGuided:
    @settings(max_examples=8, deadline=None)
    @given(mixed, st.integers(0, 2**31 - 1))
    def test_points_are_inside_new_and_the_same_after_a_rebuild(self, space, seed):
        def search():
            return GuidedSearch(space, seed=seed, is_possible=lambda _: True)

        def score(number):
            return math.nan if number % 5 == 4 else float(number % 3)

        whole, points = search(), []
        for number in range(14):
            point = whole.next_point()
            points.append(point)
            whole.tell(point, score=score(number))
        rebuilt = search()
        for number, point in enumerate(points[:13]):
            rebuilt.tell(point, score=score(number))

        assert len(set(points)) == 14
        assert all(is_inside(space, point) for point in points)
        assert rebuilt.next_point() == points[13]

    def test_it_learns(self):
        space = Space((Axis("x", low=-10.0, high=10.0), Axis("n", values=tuple(range(30)))))
        search = GuidedSearch(space, seed=3, is_possible=lambda _: True)

        scores = []
        for _ in range(60):
            point = search.next_point()
            assert point is not None
            x, n = map(float, point)
            scores.append(-((x - 3) ** 2) - (n - 20) ** 2)
            search.tell(point, score=scores[-1])

        assert np.median(scores[30:]) > np.median(scores[:10])

    def test_nothing_is_left_of_a_space_that_was_tried(self):
        search = GuidedSearch(
            Space((Axis("n", values=(1, 2)),)), seed=1, is_possible=lambda _: True
        )
        search.tell((1,), score=1.0)
        search.tell((2,), score=2.0)

        assert search.next_point() is None


class TestReading:
    def read(self, **said):
        space, problems = axes.read_space(EMA, said)
        assert problems == []
        assert space is not None
        return space.axes[0]

    def problem(self, **said):
        space, problems = axes.read_space(EMA, said)
        assert space is None
        return problems[0].field, problems[0].code

    @pytest.mark.parametrize(
        "said",
        ["5:15:5", {"from": 5, "to": 15, "step": 5}, "5, 10,15", {"values": [15, 5, 10]}, "5:19:5"],
    )
    def test_ranges_and_lists_mean_the_same_in_text_and_json(self, said):
        assert self.read(short_ema_period=said).values == (5, 10, 15)

    def test_without_a_step_the_strategy_s_own_counts(self):
        assert self.read(short_ema_period="5:8").values == (5, 6, 7, 8)
        assert self.read(stop_loss_percent="0.1:0.5").values == (0.1, 0.2, 0.3, 0.4, 0.5)

    @given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 9))
    def test_decimal_steps_are_exact(self, low, count, step):
        start, by = Decimal(low) / 10, Decimal(step) / 10
        axis = self.read(stop_loss_percent=f"{start}:{start + by * count}:{by}")

        assert axis.values == tuple(float(start + by * index) for index in range(count + 1))

    def test_a_time_of_the_day_is_one_value_and_no_range(self):
        opening_range = registry.get_definition("opening-range")
        space, problems = axes.read_space(opening_range, {"session_end_time": "15:30, 16:00"})

        assert problems == []
        assert space is not None
        assert space.axes[0].values == ("15:30", "16:00")

    def test_choices_are_listed(self):
        assert self.read(direction="LONG, SHORT").values == ("LONG", "SHORT")

    @pytest.mark.parametrize(
        ("name", "said", "code"),
        [
            ("short_ema_period", "1:15:5", "out_of_range"),
            ("short_ema_period", "5:1000:5", "out_of_range"),
            ("short_ema_period", "5,500", "out_of_range"),
            ("short_ema_period", "15:5:5", "range_inverted"),
            ("short_ema_period", "5:15:0", "invalid_step"),
            ("short_ema_period", "5:15:-1", "invalid_step"),
            ("short_ema_period", "5:15:0.5", "wrong_type"),
            ("short_ema_period", {"from": 5, "to": 15, "step": 0.5}, "invalid_step"),
            ("short_ema_period", "5.5,6", "wrong_type"),
            ("short_ema_period", "a,b", "wrong_type"),
            ("short_ema_period", "5,5", "duplicate_value"),
            ("short_ema_period", "5,,6", "required"),
            ("short_ema_period", "1:2:3:4", "wrong_type"),
            ("short_ema_period", {"values": []}, "wrong_type"),
            ("short_ema_period", {"values": [True, 5]}, "wrong_type"),
            ("short_ema_period", {"values": [None]}, "wrong_type"),
            ("short_ema_period", {"values": ["5", "6"]}, "wrong_type"),
            ("short_ema_period", {"from": 5}, "wrong_type"),
            ("short_ema_period", {"from": 5, "to": 6, "by": 1}, "wrong_type"),
            ("short_ema_period", 5, "wrong_type"),
            ("short_ema_period", {"from": 10**400, "to": 6}, "wrong_type"),
            ("stop_loss_percent", "0.1:50:0.0001", "too_many_values"),
            ("stop_loss_percent", "nan:1", "out_of_range"),
            ("stop_loss_percent", "1e300,2", "out_of_range"),
            ("direction", "LONG,UP", "wrong_type"),
            ("direction", {"from": 1, "to": 2}, "wrong_type"),
            ("nothing", "1:2", "unknown_field"),
        ],
    )
    def test_nonsense_is_named(self, name, said, code):
        assert self.problem(**{name: said}) == (f"space.{name}", code)

    def test_all_problems_come_at_once(self):
        said = {"nothing": "1:2", "short_ema_period": "x", "direction": "UP,DOWN"}
        _, problems = axes.read_space(EMA, said)

        assert {problem.field for problem in problems} == {f"space.{name}" for name in said}

    def test_nothing_swept_is_a_problem(self):
        _, problems = axes.read_space(EMA, {})

        assert [problem.code for problem in problems] == ["required"]


figures = st.lists(st.one_of(st.just(math.nan), st.floats(-5, 5)), min_size=1, max_size=30)


def trials_with(sharpes, points=None):
    rows = np.full((len(sharpes), len(FIGURES)), 7.0)
    rows[:, FIGURES.index("sharpe")] = sharpes
    points = points or [(number % 4, number // 4) for number in range(len(sharpes))]
    numbers = np.arange(1, len(sharpes) + 1, dtype=np.int64)
    return Trials(("a", "b"), numbers, points, rows)


class TestTrials:
    @given(figures)
    def test_figures_survive_storage(self, sharpes):
        rows = trials_with(sharpes).figures

        assert np.array_equal(
            trials.unpack_figures(trials.pack_figures(rows)), rows, equal_nan=True
        )

    @given(figures, st.booleans())
    def test_sorting_puts_undefined_ones_last_and_keeps_the_order_of_equal_ones(
        self, sharpes, descending
    ):
        found = trials_with(sharpes)
        order = found.sorted_by("sharpe", descending=descending).tolist()

        def key(index):
            value = sharpes[index]
            if math.isnan(value):
                return (1, 0.0, index)
            return (0, -value if descending else value, index)

        assert order == sorted(range(len(sharpes)), key=key)

    @given(figures)
    def test_the_best_is_the_first_of_the_best(self, sharpes):
        best = OBJECTIVES["sharpe"].best(trials_with(sharpes).figures, least_trades=0)
        defined = [value for value in sharpes if not math.isnan(value)]

        assert (best is None) == (not defined)
        assert best is None or best == sharpes.index(max(defined))

    @given(figures)
    def test_a_heat_map_shows_the_best_of_each_pair(self, sharpes):
        found = trials_with(sharpes)
        scores = OBJECTIVES["sharpe"].scores(found.figures, least_trades=0)
        drawn = heatmaps.heat_map(found, scores, down="a", across="b", fixed={})

        for row, down in enumerate(drawn.rows):
            for column, across in enumerate(drawn.columns):
                there = [
                    value
                    for value, point in zip(sharpes, found.points, strict=True)
                    if point == (down.low, across.low) and not math.isnan(value)
                ]
                index = drawn.best[row, column]
                assert (index < 0) == (not there)
                assert index < 0 or sharpes[index] == max(there)
        steps = heatmaps.levels(drawn.scores, count=7)
        assert ((steps >= -1) & (steps < 7)).all()
        assert ((steps == -1) == np.isnan(drawn.scores)).all()

    def test_many_values_are_joined_into_bands(self):
        points = [(number, number % 3) for number in range(100)]
        found = trials_with([float(number) for number in range(100)], points)
        drawn = heatmaps.heat_map(found, found.figure("sharpe"), down="a", across="b", fixed={})

        assert len(drawn.rows) == heatmaps.MAXIMUM_STEPS
        assert (drawn.rows[0].low, drawn.rows[-1].high) == (0, 99)
        assert drawn.best.max() == 99

    def test_a_chosen_value_leaves_the_others_out(self):
        points = [(number % 2, number // 2 % 2) for number in range(4)]
        found = trials_with([4.0, 3.0, 2.0, 1.0], points)
        drawn = heatmaps.heat_map(
            found, found.figure("sharpe"), down="a", across="b", fixed={"b": 1}
        )

        assert drawn.best.tolist() == [[-1, 2], [-1, 3]]
