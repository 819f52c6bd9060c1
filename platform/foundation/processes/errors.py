"""Why a start was refused: each reason has a stable code and an exit status of its own."""

from market.errors import PlatformError


class StartError(PlatformError):
    """Something that the processes need is missing; ``exit_status`` follows ``sysexits.h``."""

    code = "start_failed"
    title = "The platform could not be started"
    exit_status: int = 70


class StepFailedError(StartError):
    """Something that had to be done before the start went wrong; its exit status becomes ours."""

    code = "step_failed"

    def __init__(self, name: str, *, status: int, words: str) -> None:
        super().__init__(f"The step '{name}' failed ({words}). What it said is above.")
        self.exit_status = status if status > 0 else StartError.exit_status


class AlreadyRunningError(StartError):
    """Another process already runs the platform from this place."""

    code = "already_running"
    title = "The platform already runs here"
    exit_status = 75


class PortInUseError(StartError):
    """The port that was asked for belongs to another process."""

    code = "port_in_use"
    title = "The port is in use"
    exit_status = 69


class ServerFailedError(StartError):
    """PostgreSQL or Valkey ended, or did not answer, instead of starting."""

    code = "server_failed"
    title = "A server did not start"
    exit_status = 69


class UnsuitableMachineError(StartError):
    """This machine lacks something that the embedded servers cannot do without."""

    code = "unsuitable_machine"
    title = "The embedded servers cannot run on this machine"
    exit_status = 78
