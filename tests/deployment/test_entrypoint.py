"""The image's own programs: what they refuse, what they make, what they start again."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from tests.deployment.files import ROOT, run

PYTHONPATH = os.pathsep.join((str(ROOT), str(ROOT / "platform")))


class TestEntrypoint:
    def test_an_unknown_command_is_refused_with_the_list_of_known_ones(self):
        result = run("docker/entrypoint", "wrok")

        assert result.returncode == 64
        assert "error: unknown_command: 'wrok'. Known: web, worker, beat" in result.stderr

    @pytest.mark.parametrize("given", ["", "operator", "operator:short", ":long-enough-password"])
    def test_flower_does_not_start_without_a_password(self, given):
        result = run("docker/entrypoint", "flower", FLOWER_BASIC_AUTH=given, REDIS_URL="redis://h")

        assert result.returncode == 78
        assert "error: flower_without_password" in result.stderr

    @pytest.mark.parametrize("process", ["web", "worker", "beat"])
    def test_a_process_whose_servers_do_not_answer_is_not_started(self, process):
        result = run(
            "docker/entrypoint",
            process,
            DATABASE_URL="postgres://nobody@127.0.0.1:9/none",
            REDIS_URL="redis://127.0.0.1:9/0",
            PYTHONPATH=PYTHONPATH,
        )

        assert result.returncode == 75, result.stderr
        assert "unreachable: database_unreachable" in result.stderr

    def test_a_command_of_manage_py_can_be_run(self):
        result = run("docker/entrypoint", "manage", "--version")

        assert result.returncode == 0, result.stderr


class TestHealth:
    def health(self, tmp_path, role=None, **environment):
        if role:
            (tmp_path / "platform-role").write_text(f"{role}\n")
        return run(sys.executable, "docker/health", TMPDIR=str(tmp_path), **environment).returncode

    def test_a_command_that_ends_by_itself_is_always_healthy(self, tmp_path):
        assert self.health(tmp_path) == 0

    def test_a_process_without_a_port_is_docker_s_to_watch(self, tmp_path):
        assert self.health(tmp_path, "beat") == 0
        assert self.health(tmp_path, "worker") == 0

    def test_a_web_server_that_does_not_answer_is_not(self, tmp_path):
        assert self.health(tmp_path, "web", PORT="9") == 1

    def test_one_that_answers_is(self, tmp_path, live_server):
        assert self.health(tmp_path, "web", PORT=str(urlsplit(live_server.url).port)) == 0

    def test_a_worker_whose_figures_are_not_for_us_is_alive(self, tmp_path, live_server, settings):
        settings.METRICS_TOKEN = "t" * 32
        port = str(urlsplit(live_server.url).port)

        assert self.health(tmp_path, "worker", WORKER_METRICS_PORT=port) == 0


class TestMakeSecrets:
    def make(self, *arguments):
        return run(sys.executable, "docker/make_secrets.py", *arguments, PYTHONPATH=PYTHONPATH)

    def test_two_sets_have_nothing_in_common(self):
        first, second = self.make().stdout.splitlines(), self.make().stdout.splitlines()

        assert len(first) >= 8
        assert set(first) & set(second) == set()

    def test_what_is_there_is_never_changed(self, tmp_path):
        folder = tmp_path / "secrets"
        self.make(str(folder))
        before = {path.name: path.read_text() for path in folder.iterdir()}
        (folder / "metrics_token").unlink()

        result = self.make(str(folder))

        after = {path.name: path.read_text() for path in folder.iterdir()}
        assert "1 made" in result.stdout
        assert "metrics_token" in result.stdout
        assert before.pop("metrics_token") != after.pop("metrics_token")
        assert before == after

    def test_addresses_carry_the_passwords_of_their_servers(self, tmp_path):
        folder = tmp_path / "secrets"
        self.make(str(folder))
        content = {path.name: path.read_text() for path in folder.iterdir()}

        assert urlsplit(content["database_url"]).password == content["platform_password"]
        assert urlsplit(content["redis_url"]).password == content["redis_password"]
        assert json.loads(content["redis_exporter_passwords"]) == {
            "redis://redis:6379": content["redis_password"]
        }

    def test_only_its_owner_gets_into_the_folder(self, tmp_path):
        folder = tmp_path / "secrets"
        self.make(str(folder))

        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_half_a_key_is_refused(self, tmp_path):
        (tmp_path / "api_encryption_key").write_text("1:x")

        result = self.make(str(tmp_path))

        assert result.returncode != 0
        assert "error: half_a_key" in result.stderr


class TestReload:
    def test_a_change_starts_the_command_again_and_a_stop_signal_ends_both(self, tmp_path):
        (tmp_path / "trading").mkdir()
        source = tmp_path / "trading" / "a.py"
        source.write_text("")
        log = tmp_path / "log"
        command = f"import time; open({str(log)!r}, 'a').write('started '); time.sleep(60)"
        process = subprocess.Popen(
            [sys.executable, ROOT / "docker" / "reload.py", sys.executable, "-c", command],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await(lambda: _text(log) == "started ")
            source.write_text("x = 1")
            _await(lambda: _text(log) == "started started ")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) is not None


def _text(path):
    return path.read_text() if path.exists() else ""


def _await(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
