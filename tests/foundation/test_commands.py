"""Commands that fail in an expected way."""

import io

import pytest
from django.db import OperationalError

from foundation.commands import PlatformCommand
from market.errors import FieldProblem, InvalidInputError, NotFoundError


def ended(error: Exception) -> tuple[int | str | None, str]:
    class Command(PlatformCommand):
        """Fails."""

        requires_system_checks = ()

        def handle(self, *args, **options):
            raise error

    errors = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        Command(stderr=errors, no_color=True).execute(
            force_color=False, no_color=True, skip_checks=True
        )
    return caught.value.code, errors.getvalue()


def test_a_refusal_is_one_line_with_its_code():
    assert ended(NotFoundError("Nothing there.")) == (1, "error: not_found: Nothing there.\n")


def test_each_problem_has_a_line():
    problems = [
        FieldProblem("a", "required", "a is required."),
        FieldProblem("b", "blank", "No b."),
    ]

    assert ended(InvalidInputError(problems=problems)) == (
        1,
        "error: required: a is required.\nerror: blank: No b.\n",
    )


def test_an_absent_database_has_an_exit_status_of_its_own():
    code, errors = ended(OperationalError("connection refused\nmore"))

    assert code == 3
    assert errors == "error: database_unavailable: connection refused\n"
