"""Strategies of other installed packages: good ones join, broken ones are reported and left out."""

import io
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command

from strategies import registry
from strategies.definitions import ema_crossover
from strategies.registry import all_definitions, broken_entries, get_definition


def copy_of(module: ModuleType, **changes: Any) -> ModuleType:
    copy = ModuleType("another")
    vars(copy).update({**vars(module), **changes, "__name__": "another"})
    copy.__file__ = module.__file__
    return copy


@dataclass(frozen=True)
class Distribution:
    name: str = "acme-strategies"
    version: str = "2.1"


@dataclass(frozen=True)
class Entry:
    """An entry point as an installed package declares it, without the package."""

    name: str
    module: Any
    value: str = "acme.momentum"
    dist: Distribution = Distribution()

    def load(self) -> Any:
        if isinstance(self.module, BaseException):
            raise self.module
        return self.module


@pytest.fixture
def installed(monkeypatch):
    """Return a function that puts entries where the registry looks for them."""

    def install(*entries: Entry) -> None:
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        registry.forget()

    yield install
    monkeypatch.undo()
    registry.forget()


def ours() -> set[str]:
    return {module.SLUG for module in registry._OURS}


def test_a_good_one_joins_with_the_package_that_it_is_from(installed):
    installed(Entry("momo", copy_of(ema_crossover, SLUG="momo")))

    assert get_definition("momo").package == "acme-strategies 2.1"
    assert broken_entries() == ()


def test_another_release_of_its_package_is_another_fingerprint(installed):
    module = copy_of(ema_crossover, SLUG="momo")
    fingerprints = set()
    for version in ("2.1", "2.2"):
        installed(Entry("momo", module, dist=Distribution(version=version)))
        fingerprints.add(registry.code_fingerprint(get_definition("momo")))

    assert len(fingerprints) == 2


class WithoutDefaults(ema_crossover.Params):
    needed: int


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (ImportError("no module named talib2"), "ImportError: no module named talib2"),
        (SyntaxError("invalid syntax"), "SyntaxError: invalid syntax"),
        (SystemExit(3), "SystemExit: 3"),
        (ModuleType("empty"), "has no attribute 'SLUG'"),
        (object(), "is no module"),
        (copy_of(ema_crossover, SLUG="No Good"), "hyphens"),
        (copy_of(ema_crossover, SLUG="x" * 61), "SLUG has to be a text of at most 60"),
        (copy_of(ema_crossover, SLUG=7), "SLUG has to be a text"),
        (copy_of(ema_crossover, SLUG="momo", NAME="N" * 101), "NAME has to be a text"),
        (copy_of(ema_crossover, SLUG="momo", SUMMARY=""), "SUMMARY has to be a text"),
        (copy_of(ema_crossover, SLUG="momo", CATEGORY="LUCK"), "'LUCK' is not a valid Category"),
        (copy_of(ema_crossover, SLUG="momo", Params=dict), "Params is no StrategyParams"),
        (copy_of(ema_crossover, SLUG="momo", Params=WithoutDefaults), "needed"),
        (copy_of(ema_crossover, SLUG="momo", requirements=broken), "ZeroDivisionError"),
        (copy_of(ema_crossover, SLUG="momo", requirements=lambda _: 7), "int as its requirements"),
        (copy_of(ema_crossover, SLUG="momo", rules=broken), "broke in its rules"),
        (copy_of(ema_crossover), "'ema-crossover' is taken by strategies.definitions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_one_is_reported_and_the_others_go_on(installed, caplog, module, reason):
    good = Entry("z-good", copy_of(ema_crossover, SLUG="good"))
    installed(Entry("bad", module), good)

    assert {each.slug for each in all_definitions()} == {*ours(), "good"}
    [found] = broken_entries()
    assert (found.name, found.package) == ("bad", "acme-strategies 2.1")
    assert reason in found.reason
    assert "strategies.entry_broken" in caplog.text


def test_of_two_packages_with_one_slug_the_first_by_name_stays(installed):
    first, second = (copy_of(ema_crossover, SLUG="momo", NAME=name) for name in ("One", "Two"))
    installed(Entry("b", second), Entry("a", first))

    assert get_definition("momo").name == "One"
    assert [each.name for each in broken_entries()] == ["b"]


@pytest.mark.django_db
def test_a_release_says_which_package_cannot_be_used_and_offers_the_rest(installed):
    installed(Entry("bad", ImportError("gone")))
    said, errors = io.StringIO(), io.StringIO()

    call_command("sync_catalogue", stdout=said, stderr=errors)

    assert "added     ema-crossover" in said.getvalue()
    assert errors.getvalue() == "broken    bad (acme-strategies 2.1): ImportError: gone\n"
