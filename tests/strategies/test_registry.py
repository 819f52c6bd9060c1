"""The catalogue, and parameters from outside."""

from types import ModuleType

import pytest

from market.errors import InvalidInputError, NotFoundError
from strategies import parameters
from strategies.definitions import ema_crossover
from strategies.registry import (
    all_definitions,
    code_fingerprint,
    definition_of,
    get_definition,
    params_from_text,
    signal_parameters_hash,
    validate_params,
)

EMA = get_definition("ema-crossover")


def problems_of(values, *, strict=True):
    with pytest.raises(InvalidInputError) as caught:
        validate_params(EMA, values, strict=strict)
    assert caught.value.code == "invalid_parameters"
    return [(problem.field, problem.code) for problem in caught.value.problems]


def copy_of(module, **changes):
    copy = ModuleType("another")
    vars(copy).update({**vars(module), **changes, "__name__": "another"})
    return copy


class TestCatalogue:
    def test_it_holds_the_ema_crossover(self):
        assert ema_crossover.NAME == "EMA crossover"
        assert EMA.slug in {definition.slug for definition in all_definitions()}

    def test_an_unknown_slug_is_not_found(self):
        with pytest.raises(NotFoundError) as caught:
            get_definition("nope")
        assert caught.value.code == "unknown_strategy"

    @pytest.mark.parametrize("definition", all_definitions(), ids=lambda each: each.slug)
    def test_each_strategy_says_everything_that_a_catalogue_shows(self, definition):
        schema = definition.json_schema()

        assert definition.summary.endswith(".")
        assert schema["additionalProperties"] is False
        for field in schema["properties"].values():
            assert field["title"]
            assert field["description"].endswith(".")
            assert field["affects"] in {"signal", "rules"}
            if field.get("type") in {"integer", "number"}:
                assert "minimum" in field
                assert "maximum" in field
        assert definition.default_params() == validate_params(definition, {})

    def test_a_module_that_is_no_strategy_is_refused_with_what_is_missing(self):
        with pytest.raises(ValueError, match="SLUG"):
            definition_of(ModuleType("empty"))
        with pytest.raises(ValueError, match="hyphens"):
            definition_of(copy_of(ema_crossover, SLUG="No Good"))

    def test_a_parameter_must_say_what_it_affects(self):
        class Vague(ema_crossover.Params):
            extra: int = 1

        with pytest.raises(ValueError, match="extra does not say"):
            definition_of(copy_of(ema_crossover, Params=Vague))


class TestValidateParams:
    def test_every_problem_is_named_at_once(self):
        values = {"short_ema_period": 101, "long_ema_period": "20", "typo": 1}

        assert problems_of(values) == [
            ("short_ema_period", "out_of_range"),
            ("long_ema_period", "wrong_type"),
            ("typo", "unknown_field"),
        ]

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("short_ema_period", 1, "out_of_range"),
            ("short_ema_period", 10.0, "wrong_type"),
            ("short_ema_period", True, "wrong_type"),
            ("short_ema_period", None, "wrong_type"),
            ("stop_loss_percent", 0.09, "out_of_range"),
            ("stop_loss_percent", float("nan"), "wrong_type"),
            ("stop_loss_percent", float("inf"), "wrong_type"),
            ("take_profit_percent", 500.1, "out_of_range"),
            ("risk_per_trade_percent", 11, "out_of_range"),
            ("short_ema_period", 20, "inconsistent"),
        ],
    )
    def test_each_kind_of_problem_has_its_code(self, field, value, code):
        assert problems_of({field: value}) == [(field, code)]

    def test_the_message_of_a_broken_rule_between_parameters_is_for_people(self):
        with pytest.raises(InvalidInputError, match=r"30 bars\) must be shorter than .*20 bars"):
            validate_params(EMA, {"short_ema_period": 30})

    def test_a_whole_number_is_a_number(self):
        params = validate_params(EMA, {"stop_loss_percent": 3})

        assert params.model_dump()["stop_loss_percent"] == 3.0

    def test_text_is_read_where_text_is_all_there_is(self):
        params = params_from_text(EMA, {"short_ema_period": " 12 ", "stop_loss_percent": "2.5"})

        assert isinstance(params, ema_crossover.Params)
        assert (params.short_ema_period, params.stop_loss_percent) == (12, 2.5)

    @pytest.mark.parametrize(
        ("text", "code"),
        [("", "required"), ("ten", "wrong_type"), ("12.5", "wrong_type"), ("1", "out_of_range")],
    )
    def test_bad_text_gets_a_code(self, text, code):
        assert problems_of({"short_ema_period": text}, strict=False) == [("short_ema_period", code)]


class TestHashes:
    def test_only_what_changes_the_signal_changes_its_hash(self):
        default = signal_parameters_hash(EMA.default_params())

        assert default == signal_parameters_hash(validate_params(EMA, {"stop_loss_percent": 9}))
        assert default != signal_parameters_hash(validate_params(EMA, {"short_ema_period": 9}))
        assert len(default) == 64

    def test_the_fingerprint_follows_the_source(self):
        assert code_fingerprint(EMA) == code_fingerprint(EMA)
        assert len(code_fingerprint(EMA)) == 64


@pytest.mark.parametrize("definition", all_definitions(), ids=lambda each: each.slug)
def test_people_read_words_where_code_has_constants(definition):
    """Names of timeframes and abbreviations inside a sentence are words as well."""
    for info in parameters.describe(definition.json_schema()):
        assert not any(label.isupper() for label in info.labels), info.name
        assert info.shown(info.default) in (
            {*info.labels} if info.choices else {info.default, "on", "off"}
        )


def test_a_choice_without_a_label_is_read_as_it_is_written():
    schema = {
        "properties": {
            "way": {"enum": ["AT_ONCE", "4h", "1M", "MACD"], "labels": {"MACD": "By it"}}
        }
    }

    (info,) = parameters.describe(schema)

    assert info.labels == ("At once", "4h", "1M", "By it")
    assert (info.shown("AT_ONCE"), info.shown(True), info.shown(3)) == ("At once", "on", 3)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"minimum": 0.000001, "maximum": 1_000_000.0}, "0.000001 to 1,000,000"),
        ({"minimum": 2, "maximum": 100}, "2 to 100"),
        ({"minimum": 1e15}, "at least 1,000,000,000,000,000"),
        ({"maximum": 0.5}, "at most 0.5"),
        ({}, ""),
    ],
)
def test_bounds_are_digits(bounds, said):
    (info,) = parameters.describe({"properties": {"size": {"type": "number", **bounds}}})

    assert info.bounds == said
