"""Rules of the house that no linter knows, read from the syntax trees of the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ["accounts", "billing", "exchanges", "strategies", "backtesting", "trading", "referrals"]

#: Method names that write rows when they are called on a manager or a query set.
WRITES = {"create", "bulk_create", "get_or_create", "update_or_create", "bulk_update"}

#: Entry points, where the clock may be read.
CLOCK_MAY_BE_READ = {
    "tasks",
    "web",
    "api",
    "admin",
    "management",
    "subscribers",
    "views",
    "adapters",
    "adapter",
}


def _modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts and "simulator" not in path.parts:
                yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _in_part(path: Path, parts: set[str]) -> bool:
    return any(part.removesuffix(".py") in parts for part in path.parts)


def test_rows_are_written_in_services_only():
    offenders = []
    for path, tree in _modules(*APPS):
        if _in_part(path, {"services", "models"}):
            continue
        for call in _calls(tree):
            function = call.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr in WRITES
                and isinstance(function.value, ast.Attribute)
                and function.value.attr == "objects"
            ):
                offenders.append(f"{path}:{call.lineno} {function.attr}")

    assert offenders == []


def test_services_take_keywords_only_but_for_one():
    offenders = []
    for path, tree in _modules(*APPS):
        if "services" not in path.parts:
            continue
        for node in tree.body:
            if isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef
            ) and not node.name.startswith("_"):
                positional = [*node.args.posonlyargs, *node.args.args]
                if len(positional) > 1:
                    offenders.append(f"{path}:{node.lineno} {node.name}")

    assert offenders == []


def test_only_entry_points_read_the_clock():
    offenders = []
    for path, tree in _modules(*APPS):
        if _in_part(path, CLOCK_MAY_BE_READ):
            continue
        for call in _calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr in {
                "now",
                "utcnow",
                "today",
            }:
                owner = call.func.value
                if isinstance(owner, ast.Name) and owner.id in {"timezone", "datetime", "date"}:
                    offenders.append(f"{path}:{call.lineno}")

    assert offenders == []


def test_no_app_listens_to_signals_of_another():
    offenders = [
        str(path)
        for path, tree in _modules(*APPS)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module in {"django.dispatch", "django.db.models.signals"}
    ]

    assert offenders == []


def test_no_template_carries_inline_code_or_a_remote_address():
    offenders = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        for bad in (
            " style=",
            "<style",
            "javascript:",
            " onclick=",
            " onload=",
            "cdn.",
            "unpkg",
            "|safe",
        ):
            if bad in text and "emails" not in path.parts:
                offenders.append(f"{path.relative_to(ROOT)}: {bad}")
        for line_number, line in enumerate(text.splitlines(), 1):
            if (
                "<script" in line
                and "src=" not in line
                and "application/json" not in line
                and "importmap" not in line
            ):
                offenders.append(f"{path.relative_to(ROOT)}:{line_number}: inline script")

    assert offenders == []


@pytest.mark.parametrize("suffix", ["py", "html", "css", "js", "toml", "md", "txt", "in", "sh"])
def test_no_file_names_a_machine_or_a_package_index(suffix):
    places = [
        ROOT / name
        for name in [*APPS, "platform", "templates", "static", "docs", "requirements", "tests"]
    ]
    files = [path for place in places for path in place.rglob(f"*.{suffix}")] + list(
        ROOT.glob(f"*.{suffix}")
    )
    needles = [
        "/wo" + "rk/",
        "../sha" + "red",
        "pypi" + ".org",
        "--index" + "-url",
        "--extra-index" + "-url",
    ]

    offenders = [
        f"{path.relative_to(ROOT)}: {needle}"
        for path in files
        for needle in needles
        if path != Path(__file__) and needle in path.read_text(encoding="utf-8", errors="ignore")
    ]

    assert offenders == []
