"""The form that changes a deployment; its fields are named as in the problems of the service."""

from collections.abc import Mapping
from typing import Any

from django import forms

from market.errors import PlatformError
from strategies.web.parameter_fields import PREFIX, parameter_fields, texts_of
from trading.domain.protections import Limits
from trading.models import Deployment, DeploymentRevision, StopPolicy
from trading.services.terms import PROTECTIONS
from trading.web.limit_fields import limit_fields, limits_of


class ChangeForm(forms.Form):
    """Name, what its end does, and the strategy's parameters."""

    #: The revision that the person has looked at: who comes second is told so.
    revision = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=80)
    stop_policy = forms.ChoiceField(label="When it stops", choices=StopPolicy)

    def __init__(
        self, *args: Any, schema: Mapping[str, Any], limits: Limits, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.fields.update(parameter_fields(schema))
        self.fields.update(limit_fields(limits))

    @classmethod
    def of(
        cls, deployment: Deployment, revision: DeploymentRevision, *, limits: Limits
    ) -> "ChangeForm":
        """Return the form with what is in force."""
        set_now = {f"{PREFIX}{name}": value for name, value in revision.parameters.items()}
        initial = {
            "revision": revision.number,
            "name": deployment.name,
            "stop_policy": deployment.stop_policy,
            **set_now,
        }
        schema = deployment.strategy_version.parameters_schema
        return cls(initial=initial, schema=schema, limits=limits)

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        values = self.cleaned_data
        # A page without the fields says nothing about limits; one with empty fields wants none.
        has_fields = any(name in self.data for name in self.fields if name.startswith(PROTECTIONS))
        return {
            "protections": limits_of(values) if has_fields else None,
            "expected_revision": values["revision"],
            "name": values["name"],
            "stop_policy": values["stop_policy"],
            "parameters": texts_of(values),
            "parameters_are_text": True,
        }

    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field, or above all of them."""
        if not error.problems:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))
        for problem in error.problems:
            names = (problem.field, f"{PREFIX}{problem.field}")
            field = next((each for each in names if each in self.fields), None)
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))

    def terms_fields(self) -> list[forms.BoundField]:
        """Return what holds for the deployment as a whole."""
        return [self["name"], self["stop_policy"]]

    def strategy_fields(self) -> list[forms.BoundField]:
        """Return the strategy's parameters."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def limit_fields(self) -> list[forms.BoundField]:
        """Return the limits of this deployment alone."""
        return [self[name] for name in self.fields if name.startswith(PROTECTIONS)]

    @property
    def has_limits(self) -> bool:
        """Whether any limit is set, or wrong, so that they should be seen."""
        return any(bound.value() or bound.errors for bound in self.limit_fields())
