"""What each process of the platform is given, and the secrets of a new machine."""

import base64
import os
import socket
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from foundation.processes.application import Application
from foundation.processes.errors import PortInUseError
from foundation.processes.local_platform import running_environment
from foundation.processes.local_secrets import (
    generate_secrets,
    load_or_create_secrets,
    read_variables,
    write_variables,
)
from foundation.processes.ports import LOOPBACK, free_port, require_free
from foundation.processes.static_files import static_fingerprint
from web.management.commands.up import Command, _port


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    # The suite itself knows the private key; a person's shell may as well.
    monkeypatch.setenv("API_ENCRYPTION_KEY", "from the shell")
    return Application(checkout=tmp_path, state=tmp_path, environment=generate_secrets())


class TestApplication:
    def test_only_the_workers_that_call_venues_get_the_private_key(
        self, application: Application
    ) -> None:
        processes = (
            application.web(8000),
            *application.workers(),
            application.beat(),
            application.simulator(8900),
            application.command("migrate"),
        )

        holders = {
            spec.name for spec in processes if "API_ENCRYPTION_KEY" in (spec.environment or {})
        }

        assert holders == {"worker-control", "worker-orders", "worker-ingest"}
        assert "API_ENCRYPTION_KEY" not in application.shared_variables()

    def test_the_simulator_gets_none_of_our_secrets_but_its_own(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in generate_secrets():
            monkeypatch.delenv(name, raising=False)

        given = (
            application.simulator(8900).environment or {}
        ).keys() & application.environment.keys()

        assert given == {"SIMULATOR_ADMIN_TOKEN"}

    def test_only_a_command_that_needs_it_gets_the_demo_password(
        self, application: Application
    ) -> None:
        seed = application.command("seed_demo", needs=("DEMO_PASSWORD",))

        assert "DEMO_PASSWORD" in (seed.environment or {})
        assert "DEMO_PASSWORD" not in (application.web(8000).environment or {})


class TestSecrets:
    def test_they_are_made_once_and_only_their_owner_can_read_them(self, tmp_path: Path) -> None:
        path = tmp_path / "secrets.env"

        first = load_or_create_secrets(path)
        second = load_or_create_secrets(path)

        assert first == second
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(set(first.values())) == len(first)

    def test_the_public_key_belongs_to_the_private_one(self, tmp_path: Path) -> None:
        path = tmp_path / "secrets.env"
        private = generate_secrets()["API_ENCRYPTION_KEY"]
        write_variables(path, {"API_ENCRYPTION_KEY": private})

        secrets = load_or_create_secrets(path)

        key = X25519PrivateKey.from_private_bytes(base64.b64decode(secrets["API_ENCRYPTION_KEY"]))
        assert secrets["API_ENCRYPTION_KEY"] == private
        assert (
            base64.b64decode(secrets["API_ENCRYPTION_PUBLIC_KEY"])
            == key.public_key().public_bytes_raw()
        )

    def test_a_value_may_contain_any_sign_but_a_line_break(self, tmp_path: Path) -> None:
        path = tmp_path / "some.env"

        write_variables(path, {"URL": "postgres://u@/d?host=/tmp/x", "KEY": "abc=="})

        assert read_variables(path) == {"URL": "postgres://u@/d?host=/tmp/x", "KEY": "abc=="}


class TestBesideARunningPlatform:
    def test_commands_find_its_addresses_while_it_runs(self, tmp_path: Path) -> None:
        (tmp_path / ".local").mkdir()
        write_variables(
            tmp_path / ".local" / "environment.env", {"DATABASE_URL": "postgres://here"}
        )

        assert running_environment(tmp_path) == {"DATABASE_URL": "postgres://here"}

    def test_they_find_nothing_when_none_runs(self, tmp_path: Path) -> None:
        assert running_environment(tmp_path) == {}


class TestPorts:
    def test_a_port_in_use_is_refused_with_its_code_and_another_is_proposed(self) -> None:
        with socket.create_server((LOOPBACK, 0)) as server:
            port = server.getsockname()[1]

            with pytest.raises(PortInUseError, match="PORT=") as caught:
                require_free(port)
            other = free_port(preferred=port)

        assert caught.value.exit_status == 69
        assert other != port

    def test_a_free_port_is_accepted(self) -> None:
        require_free(free_port())

    @pytest.mark.parametrize("text", ["", "-1", "0", "65536", "http", "8e3"])
    def test_the_command_refuses_what_is_no_port(self, text: str) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a port"):
            _port(text)

    def test_the_command_runs_without_any_settings(self) -> None:
        assert list(Command.requires_system_checks) == []


def test_the_fingerprint_of_static_files_changes_with_them(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").touch()
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").write_text("a { }")
    before = static_fingerprint(tmp_path)

    same = static_fingerprint(tmp_path)
    os.utime(tmp_path / "static" / "a.css", ns=(1, 1))
    after = static_fingerprint(tmp_path)

    assert before == same
    assert after != before
