"""The pages of sweeps."""

import json

import pytest

from backtesting.models import BacktestRun, RunStatus, Sweep
from backtesting.services import sweeps
from billing.models import Plan
from billing.services import products
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_market
from tests.factories.sweeps import NOW, best_of, make_done_sweep, make_sweep

pytestmark = pytest.mark.django_db

LIST = "/backtests/sweeps/"
NEW = f"{LIST}new/?strategy=ema-crossover"


@pytest.fixture
def person():
    make_market()
    return make_person()


@pytest.fixture
def page(client, person):
    client.force_login(person)
    return client


def address(sweep):
    return f"{LIST}{sweep.public_id}/"


def filled_form(page, **changes):
    """Return what a browser sends of the form as it is offered, with *changes*."""
    form = page.get(NEW).context["form"]
    values = {name: form[name].value() for name in form.fields}
    texts = {
        name: value.strftime("%Y-%m-%dT%H:%M") if hasattr(value, "strftime") else value
        for name, value in values.items()
        if value is not None
    }
    return {**texts, **changes}


class TestNew:
    def test_the_proposal_can_be_sent_as_it_is(self, page, person):
        answer = page.post(NEW, filled_form(page))

        sweep = Sweep.objects.get(owner=person)
        assert answer["Location"] == address(sweep)
        assert [axis["name"] for axis in sweep.space] == ["short_ema_period", "long_ema_period"]
        assert sweep.parameters["stop_loss_percent"] == 2.0

    def test_problems_stand_next_to_their_fields(self, page):
        wrong = {"parameters.short_ema_period": "1:9:2", "parameters.leverage": "x", "seed": "-1"}
        answer = page.post(NEW, filled_form(page, **wrong))

        errors = answer.context["form"].errors
        assert answer.status_code == 200
        assert set(errors) == set(wrong)
        assert not Sweep.objects.exists()

    def test_a_grid_that_is_too_large_is_told_above_all_fields(self, page):
        wide = {
            "parameters.short_ema_period": "2:90",
            "parameters.long_ema_period": "5:200",
            "parameters.leverage": "1:20",
        }
        answer = page.post(NEW, filled_form(page, **wide))

        assert "at most 100,000 can be tried" in answer.content.decode()

    def test_a_plan_that_does_not_allow_it_says_so(self, page):
        products.sync_plans(now=NOW)
        Plan.objects.filter(is_default=True).update(trials_per_sweep=1)

        answer = page.post(NEW, filled_form(page))

        assert answer.status_code == 402
        assert "1 trial in one sweep" in answer.content.decode()

    def test_a_former_one_can_be_changed(self, page, person):
        sweep = make_done_sweep(person, method="RANDOM", trials=5, seed=9)

        form = page.get(f"{NEW}&copy={sweep.public_id}").context["form"]

        assert form["parameters.short_ema_period"].value() == "5:9:2"
        assert form["parameters.take_profit_percent"].value() == "2.0, 4.0, 8.0"
        assert (form["seed"].value(), form["trials"].value()) == (9, 5)


class TestDetail:
    def test_the_best_trial_stands_beside_the_number_of_trials(self, page, person):
        sweep = make_done_sweep(person)

        text = page.get(address(sweep)).content.decode()

        assert f"#{best_of(sweep)['number']} of" in text
        assert "It is the best of 9 trials on the same candles" in text

    def test_the_table_is_sorted_and_pages_are_linked(self, page, person, monkeypatch):
        monkeypatch.setattr("backtesting.web.sweep_views._TRIALS_A_PAGE", 4)
        sweep = make_done_sweep(person)

        answer = page.get(f"{address(sweep)}?sort=parameter.short_ema_period&page=2")

        assert [row.values[0] for row in answer.context["rows"]] == [7, 7, 9, 9]
        assert page.get(f"{address(sweep)}?sort=luck").status_code == 404

    def test_the_map_shows_what_is_asked_for(self, page, person):
        space = {
            "short_ema_period": "5,7",
            "take_profit_percent": "2,4,8",
            "stop_loss_percent": "1,3",
        }
        sweep = make_done_sweep(person, space=space, parameters={})
        where = f"{address(sweep)}?down=take_profit_percent&across=short_ema_period"

        best, chosen = page.get(where), page.get(f"{where}&at.stop_loss_percent=3")

        assert [label for label, _ in best.context["map"].rows] == ["2", "4", "8"]
        assert list(best.context["map"].columns) == ["5", "7"]
        numbers = [cell.number for _, row in chosen.context["map"].rows for cell in row]
        chunk = sweep.chunks.get()
        stops = [chunk.points["stop_loss_percent"][number - 1] for number in numbers]
        assert stops == [3.0] * 6
        assert page.get(f"{where}&at.stop_loss_percent=nonsense&down=x").status_code == 200

    def test_one_parameter_has_no_map(self, page, person):
        sweep = make_done_sweep(person, space={"short_ema_period": "5,7"})

        assert page.get(address(sweep)).context["map"] is None

    def test_no_trial_can_be_ranked(self, page, person):
        sweep = make_done_sweep(person, least_trades=1_000)

        assert "No trial can be ranked" in page.get(address(sweep)).content.decode()

    def test_the_fragment_is_asked_for_until_it_is_over(self, page, person):
        sweep = make_sweep(person)
        fragment = {"HTTP_HX_REQUEST": "true"}

        known = page.get(f"{address(sweep)}?version={sweep.version}", **fragment)
        news = page.get(f"{address(sweep)}?version=99", **fragment)
        Sweep.objects.update(status=RunStatus.DONE)
        over = page.get(f"{address(sweep)}?version={sweep.version}", **fragment)

        assert known.status_code == 204
        assert "hx-get" in news.content.decode()
        assert over["HX-Refresh"] == "true"

    def test_a_hundred_thousand_trials_are_a_page_like_any_other(
        self, page, person, django_assert_max_num_queries
    ):
        sweep = make_done_sweep(person)
        copies = list(sweep.chunks.all())
        more = []
        for number in range(1, 1_000):
            (chunk,) = copies
            more.append(
                type(chunk)(
                    owner=person,
                    sweep=sweep,
                    number=number,
                    first_trial=1 + 9 * number,
                    trial_count=9,
                    points=chunk.points,
                    figures=chunk.figures,
                    status=chunk.status,
                )
            )
        type(copies[0]).objects.bulk_create(more)

        with django_assert_max_num_queries(12):
            answer = page.get(f"{address(sweep)}?page=180")

        assert answer.status_code == 200
        assert len(answer.context["rows"]) == 50


class TestDeeds:
    def test_a_trial_is_run_as_a_backtest(self, page, person):
        sweep = make_done_sweep(person)

        answer = page.post(f"{address(sweep)}run/", {"number": "4"})

        run = BacktestRun.objects.get(owner=person)
        assert answer["Location"] == f"/backtests/{run.public_id}/"
        assert page.post(f"{address(sweep)}run/", {"number": "x"}).status_code == 404
        assert page.post(f"{address(sweep)}run/", {"number": "99"}).status_code == 404

    def test_cancel_and_delete(self, page, person):
        sweep = make_sweep(person)

        assert page.post(f"{address(sweep)}delete/")["Location"] == address(sweep)
        page.post(f"{address(sweep)}cancel/")
        sweep.refresh_from_db()
        assert sweep.status == RunStatus.CANCELED
        assert page.post(f"{address(sweep)}delete/")["Location"] == LIST
        assert page.get(address(sweep)).status_code == 404

    def test_files_have_all_trials(self, page, person):
        sweep = make_done_sweep(person)

        text = page.get(f"{address(sweep)}trials.csv").getvalue().decode()
        told = json.loads(page.get(f"{address(sweep)}trials.json").getvalue())

        assert len(text.splitlines()) == 10
        assert len(told["trials"]) == told["trials_done"] == 9
        assert told["best"] in told["trials"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_the_same_number_of_questions(
    page, person, count, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(sweeps, "MAXIMUM_UNFINISHED", 50)
    for seed in range(count):
        make_sweep(person, seed=seed)
    page.get(LIST)

    with django_assert_num_queries(7):
        page.get(LIST)
