"""A headless Chromium for the tests, and what is wrong with a page that it shows.

The browser lives in a thread of its own: Playwright keeps an event loop running in its thread, and neither Django's
database layer nor the tests that bring their own loop can live beside one.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from accounts.models import User

T = TypeVar("T")
Theme = Literal["light", "dark"]
Viewport = Literal["phone", "desktop"]

VIEWPORTS: Final[dict[Viewport, tuple[int, int]]] = {"phone": (360, 740), "desktop": (1280, 900)}
SCREENSHOTS: Final = Path(__file__).resolve().parents[2] / "reports" / "screenshots"
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_TIMEOUT_MS: Final = 15_000
_EXAMINATION: Final = (Path(__file__).parent / "examine_page.js").read_text(encoding="utf-8")
_LISTEN_FOR_VIOLATIONS: Final = """
window.policyViolations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.policyViolations.push(`${event.violatedDirective} blocked ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at, and by whom: *cookies* of a signed-in person, or none."""

    theme: Theme = "light"
    viewport: Viewport = "desktop"
    cookies: dict[str, str] = field(default_factory=dict)


class BrowserThread:
    """Runs what is done in the browser, one thing after the other, in the browser's own thread."""

    def __init__(self, executable: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="browser")
        self._executable = executable
        self._thread.submit(self._open).result()

    def visit(self, function: Callable[[Page], T], *, base_url: str, look: Look) -> T:
        """Return what *function* returns for a fresh page; its addresses are relative to *base_url*."""
        return self._thread.submit(self._visit, function, base_url, look).result()

    def close(self) -> None:
        """End the browser and its thread."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _open(self) -> None:
        self._playwright = sync_playwright().start()
        self._browser: Browser = self._playwright.chromium.launch(
            executable_path=self._executable, args=list(_ARGUMENTS)
        )

    def _visit(self, function: Callable[[Page], T], base_url: str, look: Look) -> T:
        width, height = VIEWPORTS[look.viewport]
        context = self._browser.new_context(
            base_url=base_url,
            viewport={"width": width, "height": height},
            color_scheme=look.theme,
            reduced_motion="reduce",
            locale="en-US",
        )
        try:
            _add_cookies(context, base_url, look.cookies | {"theme": look.theme})
            context.add_init_script(_LISTEN_FOR_VIOLATIONS)
            page = context.new_page()
            page.set_default_timeout(_TIMEOUT_MS)
            return function(page)
        finally:
            context.close()

    def _close(self) -> None:
        self._browser.close()
        self._playwright.stop()


def check_page(
    browser: BrowserThread,
    address: str,
    *,
    base_url: str,
    cookies: Mapping[str, str],
    name: str,
    status: int = 200,
) -> None:
    """Fail with everything that is wrong with the page at *address*, in both themes and on both sizes of screen.

    A picture of each is kept if the environment has SCREENSHOTS.
    """

    def examine(page: Page) -> list[str]:
        problems = listen(page, expected_failures=[address] if status >= 400 else [])
        response = page.goto(address)
        settle(page)
        if response is not None and response.status != status:
            problems.append(f"status {response.status} instead of {status}")
        theme = page.locator("html").get_attribute("data-theme")
        for viewport, (width, height) in VIEWPORTS.items():
            page.set_viewport_size({"width": width, "height": height})
            problems += [f"{viewport}: {problem}" for problem in look_over(page)]
            keep_picture(page, f"{name}-{theme}-{viewport}")
        return problems

    problems = [
        f"{theme}: {problem}"
        for theme in get_args(Theme)
        for problem in browser.visit(
            examine, base_url=base_url, look=Look(theme, cookies=dict(cookies))
        )
    ]
    assert not problems, f"{address}:\n  " + "\n  ".join(problems)


def session_of(person: User) -> dict[str, str]:
    """Return the cookies of a session of *person*."""
    client = Client()
    client.force_login(person)
    name = settings.SESSION_COOKIE_NAME
    return {name: client.cookies[name].value}


def keep_picture(page: Page, name: str, *, full_page: bool = True) -> None:
    """Save a picture of *page* if the environment has SCREENSHOTS."""
    if os.environ.get("SCREENSHOTS"):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


def listen(page: Page, *, expected_failures: Collection[str] = ()) -> list[str]:
    """Return a list that fills itself with the errors of *page*, from now on."""
    heard: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        at = message.location.get("url", "")
        if message.type == "error" and not any(at.endswith(path) for path in expected_failures):
            heard.append(f"console: {message.text} ({at})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: heard.append(f"script: {error}"))
    page.on("requestfailed", lambda request: heard.append(f"request failed: {request.url}"))
    return heard


def settle(page: Page) -> None:
    """Wait until scripts have run and charts are drawn."""
    page.wait_for_load_state()
    for status in page.locator(".chart-status", has_text="Loading").all():
        status.wait_for(state="hidden")


def look_over(page: Page) -> list[str]:
    """Return what a careful eye finds: violations of the policy, overflow, poor contrast, missing names."""
    found: dict[str, Any] = json.loads(page.evaluate(_EXAMINATION))
    return [f"{kind}: {detail}" for kind, details in found.items() for detail in details]


def _add_cookies(context: BrowserContext, base_url: str, cookies: dict[str, str]) -> None:
    context.add_cookies(
        [{"name": name, "value": value, "url": base_url} for name, value in cookies.items()]
    )
