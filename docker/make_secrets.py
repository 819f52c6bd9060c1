# ruff: noqa: INP001  (programs of the image, not a package)
"""Make secrets: as lines for ``.env``, or as one file each for ``compose.production.yaml``.

``python docker/make_secrets.py``         prints a fresh set
``python docker/make_secrets.py FOLDER``  writes what is missing into FOLDER and changes nothing that is there
"""

import json
import os
import secrets
import sys
from pathlib import Path

from foundation.processes.local_secrets import generate_secrets

_DATABASE = "trading_platform"
_ROLE = "platform"


def main(arguments: list[str]) -> int:
    """Print or write; return the exit status."""
    if not arguments:
        sys.stdout.writelines(f"{name}={value}\n" for name, value in generate_secrets().items())
        return 0
    folder = Path(arguments[0])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = [name for name, value in _files(folder).items() if _write_new(folder / name, value)]
    sys.stdout.write(f"{len(made)} made in {folder}: {', '.join(made) or 'nothing was missing'}\n")
    return 0


def _files(folder: Path) -> dict[str, str]:
    """Return each file's content; what depends on a password that is there already uses that one."""
    ours = generate_secrets()
    if (folder / "api_encryption_key").exists() != (folder / "api_encryption_public_key").exists():
        sys.exit(
            f"error: half_a_key: {folder} has one of api_encryption_key and api_encryption_public_key; "
            "the two belong together"
        )
    database = _kept_or_new(folder / "platform_password")
    redis = _kept_or_new(folder / "redis_password")
    return {
        "secret_key": ours["SECRET_KEY"],
        "jwt_secret_key": ours["JWT_SECRET_KEY"],
        "installation_salt": ours["INSTALLATION_SALT"],
        "api_encryption_key": f"1:{ours['API_ENCRYPTION_KEY']}",
        "api_encryption_public_key": f"1:{ours['API_ENCRYPTION_PUBLIC_KEY']}",
        "field_encryption_key": f"1:{ours['FIELD_ENCRYPTION_KEY']}",
        "metrics_token": secrets.token_urlsafe(32),
        "postgres_password": secrets.token_urlsafe(32),
        "monitoring_password": secrets.token_urlsafe(32),
        "platform_password": database,
        "database_url": f"postgres://{_ROLE}:{database}@db:5432/{_DATABASE}",
        "redis_password": redis,
        "redis_url": f"redis://:{redis}@redis:6379/0",
        "redis_exporter_passwords": json.dumps({"redis://redis:6379": redis}),
        "flower_basic_auth": f"operator:{secrets.token_urlsafe(24)}",
    }


def _kept_or_new(path: Path) -> str:
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    return secrets.token_urlsafe(32)


def _write_new(path: Path, value: str) -> bool:
    try:
        # Readable by the users inside the containers; the folder keeps the others of this machine out.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(value)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
