"""Runs as files: JSON, CSV and the report in one HTML file."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import pytest
from django.core.management import CommandError, call_command

from backtesting import exports
from backtesting.services import history
from foundation.audit import Actor
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_done_run, make_market, make_run

pytestmark = pytest.mark.django_db

#: What a page of one file must not have: everything that would fetch, run or lead somewhere.
FETCHING = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "style"}


class Outline(HTMLParser):
    """Collects what a file consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "br", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def person():
    make_market()
    return make_person()


@pytest.fixture
def run(person):
    return make_done_run(person)


def body(answer) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


class TestReport:
    def test_it_needs_nothing_else(self, run):
        text = exports.stored_report(run)

        outline = Outline(text)
        assert not outline.attributes & FETCHING
        assert not {"script", "link", "img", "iframe", "form", "base"} & set(outline.tags)
        assert outline.tags.count("style") == 1
        assert "url(" not in text
        assert "@import" not in text
        assert outline.open == []

    def test_its_policy_allows_its_own_style_only(self, run):
        text = exports.stored_report(run)

        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in text

    def test_it_shows_figures_charts_and_trades(self, run):
        text = exports.stored_report(run)

        assert text.count("<svg") == 3
        assert text.count("<tr><td") >= run.trades.count()
        for words in ("Total return", "Monthly returns", "By exit reason", run.data_fingerprint):
            assert words in text

    def test_what_people_wrote_is_escaped(self, run):
        by = Actor.system("test")
        history.annotate_run(run_id=run.pk, tags=["<i>"], notes="<script>x</script>", by=by)
        run.refresh_from_db()

        text = exports.stored_report(run)

        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "&lt;i&gt;" in text

    def test_of_many_trades_it_has_the_first(self, run, monkeypatch):
        monkeypatch.setattr(exports, "TRADES_IN_REPORT", 2)

        assert f">{run.trades.count()}</span>." in exports.stored_report(run)

    def test_without_trades_it_is_whole_as_well(self, person):
        # Averages this close to each other and a target this far leave nothing to trade for.
        run = make_done_run(person)
        run.trades.all().delete()

        text = exports.stored_report(run)

        assert text.count("<svg") == 2
        assert Outline(text).open == []


class TestDownloads:
    @pytest.mark.parametrize(
        ("page", "api", "kind"),
        [
            ("report.html", "report", "text/html"),
            ("run.json", "document", "application/json"),
            ("equity.csv", "equity.csv", "text/csv"),
        ],
    )
    def test_page_and_api_give_the_same_file(self, client, person, run, page, api, kind):
        client.force_login(person)

        of_page = client.get(f"/backtests/{run.public_id}/{page}")
        of_api = client.get(f"/api/v1/backtests/{run.public_id}/{api}")

        for answer in (of_page, of_api):
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith(kind)
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
        assert body(of_page) == body(of_api)

    def test_the_report_is_sent_under_a_policy_of_its_own(self, client, person, run):
        client.force_login(person)

        policy = client.get(f"/backtests/{run.public_id}/report.html").headers[
            "Content-Security-Policy"
        ]

        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith("; sandbox")

    @pytest.mark.parametrize("part", ["report", "document", "equity.csv"])
    def test_without_a_result_there_is_none(self, client, person, part):
        client.force_login(person)

        answer = client.get(f"/api/v1/backtests/{make_run(person).public_id}/{part}")

        assert answer.status_code == 409

    def test_the_document_has_everything(self, client, person, run):
        client.force_login(person)

        document = json.loads(body(client.get(f"/backtests/{run.public_id}/run.json")))

        assert set(document) == {"run", "series", "trades"}
        assert document["run"]["metrics"] == run.metrics["values"]
        assert [trade["number"] for trade in document["trades"]] == list(
            range(1, run.trades.count() + 1)
        )

    def test_the_curve_has_a_line_for_every_bar(self, client, person, run, monkeypatch):
        monkeypatch.setattr(exports, "_LINES_AT_ONCE", 7)
        client.force_login(person)

        lines = body(client.get(f"/backtests/{run.public_id}/equity.csv")).splitlines()

        assert lines[0] == "closed_at,equity,buy_and_hold,drawdown_percent"
        assert len(lines) == run.bar_count + 1
        last = lines[-1].split(",")
        assert last[0] == "2024-01-26T00:00:00+00:00"
        assert float(last[1]) == run.metrics["values"]["final_equity"]


class TestCommand:
    def export(self, run, path, *more):
        call_command(
            "export_backtest",
            str(run.public_id),
            "--owner",
            "ada@example.com",
            "--output",
            str(path),
            *more,
            stdout=io.StringIO(),
        )
        return path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("kind", ["html", "json", "trades", "equity"])
    def test_a_stored_run_becomes_a_file(self, run, tmp_path, kind):
        text = self.export(run, tmp_path / "run", "--format", kind)

        assert text.startswith(
            {"html": "<!DOCTYPE", "json": "{", "trades": "number,", "equity": "closed_at,"}[kind]
        )

    def test_somebody_elses_run_is_not_found(self, person, tmp_path, capsys):
        theirs = make_done_run(make_person("bea@example.com"))

        with pytest.raises(SystemExit):
            self.export(theirs, tmp_path / "run")

        assert capsys.readouterr().err.startswith("error: not_found")

    def test_a_place_that_cannot_be_written_is_told(self, run, tmp_path, capsys):
        with pytest.raises(SystemExit):
            self.export(run, tmp_path / "nowhere" / "run")

        assert capsys.readouterr().err.startswith("error: unwritable_file")

    def test_a_run_that_is_no_id_is_a_usage_error(self, tmp_path):
        with pytest.raises(CommandError):
            call_command("export_backtest", "7", "--owner", "a", "--output", str(tmp_path / "run"))
