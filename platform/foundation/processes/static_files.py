"""Whether the collected static files are still those of the sources."""

import hashlib
from pathlib import Path


def static_fingerprint(checkout: Path) -> str:
    """Return a value that changes with our static files and the libraries that bring some."""
    digest = hashlib.sha256((checkout / "requirements" / "base.txt").read_bytes())
    folders = (checkout / "static", *checkout.glob("*/static"), *checkout.glob("platform/*/static"))
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        found = path.stat()
        digest.update(f"{path.relative_to(checkout)}:{found.st_size}:{found.st_mtime_ns}".encode())
    return digest.hexdigest()
