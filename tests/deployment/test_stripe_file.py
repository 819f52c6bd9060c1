"""The file that adds Stripe to a production installation."""

from pathlib import Path
from typing import Any

import yaml

from config.env import KNOWN_NAMES, read_environment
from tests.config.test_env import PRODUCTION, STRIPE_LIVE_KEY, WHSEC

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return content


def test_it_adds_to_services_that_are_there_and_reads_what_it_is_given():
    added = load("compose.stripe.yaml")

    assert set(added["services"]) <= set(load("compose.production.yaml")["services"])
    for definition in added["services"].values():
        files = {Path(path).name for path in definition["environment"].values()}
        assert files == set(definition["secrets"]) == set(added["secrets"])
        assert {name.removesuffix("_FILE") for name in definition["environment"]} <= KNOWN_NAMES


def test_whoever_deals_with_payments_has_them():
    # All tasks of billing travel on one queue, and notices arrive at the web server.
    assert set(load("compose.stripe.yaml")["services"]) == {"web", "worker-default"}
    tasks = (ROOT / "billing" / "tasks.py").read_text(encoding="utf-8")
    assert tasks.count("@queued_task") == tasks.count('queue="default"')


def test_its_environment_is_accepted_with_an_empty_secret_before(tmp_path):
    values = {
        "stripe_secret_key": STRIPE_LIVE_KEY,
        "stripe_webhook_secret": WHSEC,
        "stripe_webhook_secret_previous": "",
    }
    for name, value in values.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    [variables, _] = [
        definition["environment"] for definition in load("compose.stripe.yaml")["services"].values()
    ]
    given = {name: str(tmp_path / Path(path).name) for name, path in variables.items()}

    environment, problems = read_environment(PRODUCTION | given)

    assert problems == ()
    assert environment.payment_provider == "stripe"
