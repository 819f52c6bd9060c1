"""The embedded servers, really started."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from foundation.processes.embedded import PreparedServer, start
from foundation.processes.embedded_postgres import FLEETING, prepare_postgres
from foundation.processes.embedded_valkey import prepare_valkey
from foundation.processes.errors import ServerFailedError
from foundation.processes.folders import make_temporary_folder
from foundation.processes.server_user import ServerUser
from foundation.processes.spawning import Watchdog


class TestPostgres:
    def test_it_answers_at_its_address_as_a_utf8_database_in_utc(
        self, home: Path, server_user: ServerUser | None, watchdog: Watchdog
    ) -> None:
        server = start(
            self.prepare(home, server_user, watchdog), watchdog, output=subprocess.DEVNULL
        )

        with psycopg.connect(server.url) as connection:
            row = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('TimeZone'), "
                "datlocale, split_part(version(), ' ', 2) "
                "FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        server.stop()

        assert row is not None
        assert row[:3] == ("UTF8", "UTC", "C.UTF-8")
        assert row[3].startswith("18.")

    def test_it_keeps_its_data_over_a_stop_and_a_stale_pid_file(
        self, home: Path, server_user: ServerUser | None, watchdog: Watchdog
    ) -> None:
        server = start(
            self.prepare(home, server_user, watchdog), watchdog, output=subprocess.DEVNULL
        )
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        # The number of a living process that is no PostgreSQL: what a reboot leaves behind.
        (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}/postgres\n")

        prepared = self.prepare(home, server_user, watchdog)
        again = start(prepared, watchdog, output=subprocess.DEVNULL)
        with psycopg.connect(again.url) as connection:
            row = connection.execute("SELECT answer FROM kept").fetchone()
        again.stop()

        assert row == (42,)
        assert "stale pid file was removed" in prepared.notes[0]

    def test_a_second_server_on_the_same_data_is_refused(
        self,
        home: Path,
        server_user: ServerUser | None,
        watchdog: Watchdog,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("foundation.processes.embedded_postgres._ORPHAN_GRACE_S", 0.2)
        server = start(
            self.prepare(home, server_user, watchdog), watchdog, output=subprocess.DEVNULL
        )

        with pytest.raises(ServerFailedError, match="Another PostgreSQL"):
            self.prepare(home, server_user, watchdog)
        server.stop()

    def test_an_interrupted_creation_is_done_again(
        self, home: Path, server_user: ServerUser | None, watchdog: Watchdog
    ) -> None:
        (home / "postgres" / "base").mkdir(parents=True)
        (home / "postgres" / "half-written").touch()

        server = start(
            self.prepare(home, server_user, watchdog), watchdog, output=subprocess.DEVNULL
        )
        server.stop()

        assert not (home / "postgres" / "half-written").exists()

    @staticmethod
    def prepare(home: Path, user: ServerUser | None, watchdog: Watchdog) -> PreparedServer:
        return prepare_postgres(home, user=user, watchdog=watchdog, profile=FLEETING)


class TestValkey:
    def test_it_refuses_a_wrong_password_and_never_evicts(
        self, home: Path, server_user: ServerUser | None, watchdog: Watchdog
    ) -> None:
        server = start(prepare_valkey(home, user=server_user), watchdog, output=subprocess.DEVNULL)

        with Redis.from_url(server.url) as client:
            policy = client.config_get("maxmemory-policy")
        with (
            Redis.from_url(server.url.replace("redis://:", "redis://:wrong")) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.ping()
        server.stop()

        assert policy == {"maxmemory-policy": "noeviction"}

    def test_queued_work_survives_a_kill(
        self, home: Path, server_user: ServerUser | None, watchdog: Watchdog
    ) -> None:
        prepared = prepare_valkey(home, user=server_user)
        server = start(prepared, watchdog, output=subprocess.DEVNULL)
        with Redis.from_url(server.url) as client:
            client.rpush("queue", *range(100))
        time.sleep(1.2)  # what the last second has brought may be lost
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()

        again = start(prepared, watchdog, output=subprocess.DEVNULL)
        with Redis.from_url(again.url) as client:
            length = client.llen("queue")
        again.stop()

        assert length == 100

    def test_its_password_is_in_no_argument_and_in_a_private_file(
        self, home: Path, server_user: ServerUser | None
    ) -> None:
        prepared = prepare_valkey(home, user=server_user)

        password = prepared.url.partition("://:")[2].partition("@")[0]

        assert password not in " ".join(prepared.spec.command)
        assert (home / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0


def test_the_socket_has_a_short_path_although_the_folder_for_temporary_files_is_deep(
    tmp_path: Path, server_user: ServerUser | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    folder = make_temporary_folder("sql", server_user)
    folder.rmdir()

    assert len(str(folder / ".s.PGSQL.5432.lock")) < 107


def test_a_server_that_does_not_start_says_so(
    home: Path, watchdog: Watchdog, server_user: ServerUser | None
) -> None:
    prepared = prepare_valkey(home, user=server_user)
    (home / "valkey" / "valkey.conf").write_text("no-such-setting yes\n")

    with pytest.raises(ServerFailedError, match="valkey did not start"):
        start(prepared, watchdog, output=subprocess.DEVNULL)
