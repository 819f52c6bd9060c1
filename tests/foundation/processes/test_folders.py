"""Where servers live when the checkout will not do."""

import shutil
from pathlib import Path

import pytest

from foundation.processes.errors import UnsuitableMachineError
from foundation.processes.folders import choose_folders, reachable_program, state_candidates
from foundation.processes.server_user import ServerUser, can_enter


def test_normally_everything_is_in_the_checkout(tmp_path: Path) -> None:
    folders = choose_folders(tmp_path, None)

    assert folders.state == folders.server_data == tmp_path / ".local"
    assert folders.notes == ()


def test_a_closed_checkout_sends_the_data_elsewhere_and_says_so(
    tmp_path: Path, myself: ServerUser
) -> None:
    checkout = tmp_path / "closed"
    checkout.mkdir()
    stranger = ServerUser(uid=myself.uid + 1, gid=myself.gid + 1, name="stranger")
    checkout.chmod(0o700)

    assert not can_enter(checkout, stranger)
    checkout.chmod(0o600)
    assert not can_enter(checkout, myself)


def test_a_path_too_deep_for_postgresql_sends_the_data_elsewhere_and_says_so(
    tmp_path: Path, myself: ServerUser
) -> None:
    checkout = tmp_path.joinpath(*["d" * 200] * 4)
    checkout.mkdir(parents=True)

    folders = choose_folders(checkout, myself)
    again = choose_folders(checkout, myself)
    mode = folders.server_data.stat().st_mode
    folders.server_data.rmdir()

    assert folders == again
    assert checkout not in folders.server_data.parents
    assert mode & 0o077 == 0
    assert "too long for PostgreSQL" in folders.notes[0]
    assert str(folders.server_data) in folders.notes[0]


def test_a_folder_elsewhere_that_others_can_read_is_refused(
    tmp_path: Path, myself: ServerUser
) -> None:
    checkout = tmp_path.joinpath(*["d" * 200] * 4)
    checkout.mkdir(parents=True)
    planted = choose_folders(checkout, myself).server_data
    planted.chmod(0o755)

    with pytest.raises(UnsuitableMachineError, match="not a private folder"):
        choose_folders(checkout, myself)
    planted.rmdir()


def test_a_checkout_that_cannot_be_written_keeps_its_state_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file where the folder should be")

    folders = choose_folders(tmp_path, None)
    folders.state.rmdir()

    assert folders.state in state_candidates(tmp_path)
    assert "cannot be written to" in folders.notes[0]


def test_programs_that_the_server_user_cannot_reach_are_copied_once(
    tmp_path: Path, myself: ServerUser
) -> None:
    wheel, home = tmp_path / "wheel", tmp_path / "home"
    (wheel / "bin").mkdir(parents=True)
    (wheel / "lib").mkdir()
    (wheel / "lib" / "needed.so").touch()
    shutil.copy2("/bin/true", wheel / "bin" / "server")
    needs = (wheel / "bin" / "server", wheel / "lib")
    stranger = ServerUser(uid=myself.uid + 1, gid=myself.gid + 1, name="stranger")
    tmp_path.chmod(0o700)

    copied = reachable_program(needs[0], needs=needs, home=home, user=stranger)
    again = reachable_program(needs[0], needs=needs, home=home, user=stranger)

    assert copied == again
    assert home in copied.parents
    assert (copied.parents[1] / "lib" / "needed.so").exists()
    assert reachable_program(needs[0], needs=needs, home=home, user=None) == needs[0]
