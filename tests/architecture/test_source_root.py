"""``platform/`` holds packages and is none itself, or the standard library's module of that name is shadowed."""

import platform as standard_library_platform
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_source_root_is_no_package_and_holds_no_loose_modules():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert list((ROOT / "platform").glob("*.py")) == []


def test_the_standard_librarys_platform_is_the_one_that_is_imported():
    assert standard_library_platform.python_version()
    assert not str(standard_library_platform.__file__).startswith(str(ROOT))


def test_no_module_imports_through_the_source_root():
    offenders = [
        str(path.relative_to(ROOT))
        for path in _sources()
        if "from platform." in path.read_text(encoding="utf-8")
    ]

    assert offenders == []


def _sources():
    packages = [
        "platform",
        "accounts",
        "billing",
        "exchanges",
        "strategies",
        "backtesting",
        "trading",
        "referrals",
    ]
    return [path for package in packages for path in (ROOT / package).rglob("*.py")]
