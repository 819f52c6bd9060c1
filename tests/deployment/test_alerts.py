"""Alerts ask for figures that exist, and are raised by what they are about and by nothing else."""

import re
import shutil

import pytest

from tests.deployment.files import ROOT, load, run
from web import metrics

RULES = "docker/prometheus/alerts.yml"
PROMTOOL = shutil.which("promtool")

#: Figures of Prometheus itself and of the two exporters.
OF_OTHERS = {
    "up",
    "pg_up",
    "pg_stat_activity_count",
    "pg_settings_max_connections",
    "redis_up",
    "redis_memory_used_bytes",
}


def rules():
    return [rule for group in load(RULES)["groups"] for rule in group["rules"]]


def figures_in(expression):
    """Return the names of the figures that an expression reads."""
    without_labels = re.sub(r"\{[^}]*\}|\bby \([^)]*\)|\[[^\]]*\]", "", expression)
    names = set(re.findall(r"\b[a-z_]+\b", without_labels))
    functions = {"absent", "max", "sum", "rate", "increase", "histogram_quantile", "and", "or", "e"}
    return names - functions


@pytest.fixture
def told(client, db):
    """The names of all figures that a web server tells, and those of the instruments that workers share."""
    text = client.get("/metrics").content.decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, flags=re.MULTILINE))
    parts = {
        name + part
        for name, kind in kinds.items()
        if kind == "histogram"
        for part in ("_bucket", "_count", "_sum")
    }
    # A counter without a sample yet shows only its type.
    totals = {
        name if name.endswith("_total") else f"{name}_total"
        for name, kind in kinds.items()
        if kind == "counter"
    }
    return set(kinds) | parts | totals


def test_there_are_enough_of_them_and_each_says_what_to_do():
    assert len(rules()) >= 8
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["for"]


def test_each_alert_reads_figures_that_somebody_tells(told):
    for rule in rules():
        for name in figures_in(rule["expr"]):
            assert name in told | OF_OTHERS, f"{rule['alert']} reads {name}"


def test_every_figure_of_an_outage_has_an_alert():
    read = set().union(*(figures_in(rule["expr"]) for rule in rules()))
    informative = {
        "platform_database_connections",
        "platform_outbox_undelivered",
        "platform_candle_feeds_failing",
        "platform_candle_feeds_behind",
        "platform_candle_gaps_open",
        "platform_candles_quarantined",
        "platform_venue_budget_used_ratio",
        "platform_venue_budget_waiting",
    }

    assert {figure.name for figure in metrics.PLATFORM_FIGURES} - read == informative


def test_each_alert_is_raised_in_the_unit_tests_of_promtool():
    text = (ROOT / "tests/deployment/alerts_test.yml").read_text(encoding="utf-8")

    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in text, rule["alert"]


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: apt-get install prometheus")
class TestPromtool:
    def test_the_rules_behave(self):
        result = run("promtool", "test", "rules", "tests/deployment/alerts_test.yml")

        assert result.returncode == 0, result.stdout + result.stderr

    def test_the_configuration_is_valid(self, tmp_path):
        text = (ROOT / "docker/prometheus/prometheus.yml").read_text(encoding="utf-8")
        (tmp_path / "token").write_text("t", encoding="utf-8")
        shutil.copy(ROOT / RULES, tmp_path)
        (tmp_path / "prometheus.yml").write_text(
            text.replace("/run/secrets/metrics_token", str(tmp_path / "token")), encoding="utf-8"
        )
        result = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))

        assert result.returncode == 0, result.stdout + result.stderr
