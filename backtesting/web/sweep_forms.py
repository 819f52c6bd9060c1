"""The form of a new sweep; its fields are named as in the problems of the service."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from backtesting.domain.axes import is_one_value
from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.services.sweep_plans import DEFAULT_OBJECTIVE, DEFAULT_SEED, DEFAULT_TRIALS
from backtesting.web.coverage import CoverageRow
from backtesting.web.forms import RunForm
from market.errors import PlatformError
from strategies import parameters
from strategies.parameters import ParameterInfo
from strategies.web.parameter_fields import PREFIX, texts_of

#: In front of a swept parameter in the problems of the service.
_SPACE: Final = "space."
_METHODS: Final = {
    Method.GRID: "Grid: every combination",
    Method.RANDOM: "Random: combinations by chance",
    Method.GUIDED: "Guided: learns from each trial",
}


class SweepForm(RunForm):
    """What a run has, where each parameter may have several values, and how they are searched."""

    method = forms.ChoiceField(
        choices=[(method.value, words) for method, words in _METHODS.items()], initial=Method.GRID
    )
    objective = forms.ChoiceField(
        choices=[(key, each.info.label) for key, each in OBJECTIVES.items()],
        initial=DEFAULT_OBJECTIVE,
        help_text="What makes one trial better than another.",
    )
    trials = forms.IntegerField(
        required=False,
        initial=DEFAULT_TRIALS,
        help_text="How many to try by chance or guided; a grid tries all.",
    )
    least_trades = forms.IntegerField(
        label="Least number of trades",
        initial=10,
        help_text="A trial with fewer closed trades is not ranked: few trades prove nothing.",
    )
    seed = forms.IntegerField(
        initial=DEFAULT_SEED, help_text="The same seed makes the same trials."
    )

    def __init__(
        self,
        *args: Any,
        schema: Mapping[str, Any],
        coverage: Sequence[CoverageRow],
        **options: Any,
    ) -> None:
        super().__init__(*args, schema=schema, coverage=coverage, **options)
        self._infos = {info.name: info for info in parameters.describe(schema)}
        for info in self._infos.values():
            self.fields[f"{PREFIX}{info.name}"] = _axis_field(info)

    def search_fields(self) -> list[forms.BoundField]:
        """Return how combinations are chosen and ranked."""
        names = ("method", "objective", "trials", "least_trades", "seed")
        return [self[name] for name in names]

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        values = self.cleaned_data
        texts = texts_of(values)
        fixed = {name for name, text in texts.items() if is_one_value(self._infos[name], text)}
        return {
            **super().wish(),
            "space": {name: text for name, text in texts.items() if name not in fixed},
            "parameters": {name: text for name, text in texts.items() if name in fixed},
            "method": values["method"],
            "objective": values["objective"],
            "trials": values["trials"],
            "least_trades": values["least_trades"],
            "seed": values["seed"],
        }

    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field, or above all of them."""
        for problem in error.problems:
            field = problem.field
            if field.startswith(_SPACE):
                field = f"{PREFIX}{field.removeprefix(_SPACE)}"
            named = field if field in self.fields else None
            self.add_error(named, forms.ValidationError(problem.message, code=problem.code))
        if not error.problems:
            self.add_error(None, error.message)


def _axis_field(info: ParameterInfo) -> forms.Field:
    label = f"{info.title}, {info.unit}" if info.unit else info.title
    bounds = f"{info.bounds[:1].upper()}{info.bounds[1:]}." if info.bounds else ""
    if info.choices:
        # Typed, not chosen: several may be swept.
        words = zip(info.choices, info.labels, strict=True)
        bounds = f"Write {', '.join(f'{choice} ({label})' for choice, label in words)}."
    initial = str(info.default).lower() if info.kind == "boolean" else info.default
    return forms.CharField(
        label=label, help_text=f"{info.help} {bounds}".strip(), initial=initial, max_length=400
    )
