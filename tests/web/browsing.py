"""A headless Chromium for the tests, and what is wrong with a page that it shows.

The browser lives in a thread of its own: Playwright keeps an event loop running in its thread, and neither Django's
database layer nor the tests that bring their own loop can live beside one.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from django.conf import settings
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from accounts.models import User

T = TypeVar("T")
Theme = Literal["light", "dark"]
Viewport = Literal["phone", "desktop"]

VIEWPORTS: Final[dict[Viewport, tuple[int, int]]] = {"phone": (360, 740), "desktop": (1280, 900)}
_LOOKS: Final[tuple[tuple[Theme, Viewport], ...]] = (("light", "desktop"), ("dark", "phone"))
_EVERY_LOOK: Final[tuple[tuple[Theme, Viewport], ...]] = (
    *_LOOKS,
    ("light", "phone"),
    ("dark", "desktop"),
)
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
#: The same as `chooseTheme` of static/js/app.js, but for the cookie.
_WEAR: Final = """(theme) => {
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("themechange"));
}"""


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
        self._kept: dict[str, Page] = {}
        self._thread.submit(self._open).result()

    def visit(self, function: Callable[[Page], T], *, base_url: str, look: Look) -> T:
        """Return what *function* returns for a fresh page; its addresses are relative to *base_url*."""
        return self._thread.submit(self._visit, function, base_url, look).result()

    def visit_again(
        self, function: Callable[[Page], T], *, base_url: str, cookies: Mapping[str, str]
    ) -> T:
        """Do the same as :meth:`visit` in one page that is kept, for whatever only looks.

        A fresh page costs ten times what showing another address in it does. No cookie is left
        from before; it begins light and on a desk. What fails leaves no page behind.
        """
        return self._thread.submit(self._visit_again, function, base_url, cookies).result()

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
        context = self._new_context(base_url, look)
        try:
            _add_cookies(context, base_url, look.cookies | {"theme": look.theme})
            return function(_new_page(context))
        finally:
            context.close()

    def _visit_again(
        self, function: Callable[[Page], T], base_url: str, cookies: Mapping[str, str]
    ) -> T:
        page = self._kept.pop(base_url, None) or _new_page(self._new_context(base_url, Look()))
        try:
            page.emulate_media(color_scheme="light")
            stand_at(page, "desktop")
            page.context.clear_cookies()
            _add_cookies(page.context, base_url, {**cookies, "theme": "light"})
            result = function(page)
            # What is on the page may go on asking the server.
            page.goto("about:blank")
        except BaseException:
            page.context.close()
            raise
        self._kept[base_url] = page
        return result

    def _new_context(self, base_url: str, look: Look) -> BrowserContext:
        width, height = VIEWPORTS[look.viewport]
        context = self._browser.new_context(
            base_url=base_url,
            viewport={"width": width, "height": height},
            color_scheme=look.theme,
            reduced_motion="reduce",
            locale="en-US",
        )
        context.add_init_script(_LISTEN_FOR_VIOLATIONS)
        return context

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
    """Fail with everything that is wrong with the page at *address*: light on a desk, dark on a phone.

    Colors do not depend on the size of the screen, nor does what is cut off depend on colors. With
    SCREENSHOTS in the environment both themes are looked at on both sizes, and pictures are kept.
    """

    def examine(page: Page) -> list[str]:
        expected_failures = [address] if status >= 400 else []
        with listening(page, expected_failures=expected_failures) as problems:
            response = page.goto(address)
            settle(page)
            if response is not None and response.status != status:
                problems.append(f"status {response.status} instead of {status}")
            for theme, viewport in _EVERY_LOOK if os.environ.get("SCREENSHOTS") else _LOOKS:
                wear(page, theme)
                stand_at(page, viewport)
                problems += [f"{theme}: {viewport}: {found}" for found in look_over(page)]
                keep_picture(page, f"{name}-{theme}-{viewport}")
        return problems

    problems = browser.visit_again(examine, base_url=base_url, cookies=cookies)
    assert not problems, f"{address}:\n  " + "\n  ".join(problems)


def wear(page: Page, theme: Theme) -> None:
    """Show what *page* shows in other colors, as its own switch does, on a device of that theme."""
    page.emulate_media(color_scheme=theme)
    page.evaluate(_WEAR, theme)


def stand_at(page: Page, viewport: Viewport) -> None:
    """Give *page* another screen."""
    width, height = VIEWPORTS[viewport]
    page.set_viewport_size({"width": width, "height": height})


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
    for event, ear in _ears(heard, expected_failures).items():
        page.on(event, ear)
    return heard


@contextmanager
def listening(page: Page, *, expected_failures: Collection[str] = ()) -> Iterator[list[str]]:
    """Do the same as :func:`listen` until the block ends."""
    heard: list[str] = []
    ears = _ears(heard, expected_failures)
    for event, ear in ears.items():
        page.on(event, ear)
    try:
        yield heard
    finally:
        for event, ear in ears.items():
            page.remove_listener(event, ear)


def _ears(heard: list[str], expected_failures: Collection[str]) -> dict[Any, Callable[[Any], None]]:
    def on_console(message: ConsoleMessage) -> None:
        at = message.location.get("url", "")
        if message.type == "error" and not any(at.endswith(path) for path in expected_failures):
            heard.append(f"console: {message.text} ({at})")

    def on_failure(request: Request) -> None:
        # Whoever leaves a page breaks off what it was loading, which is no fault of anybody.
        if request.failure != "net::ERR_ABORTED":
            heard.append(f"request failed: {request.url} ({request.failure})")

    return {
        "console": on_console,
        "pageerror": lambda error: heard.append(f"script: {error}"),
        "requestfailed": on_failure,
    }


def settle(page: Page) -> None:
    """Wait until scripts have run and charts are drawn."""
    page.wait_for_load_state()
    for status in page.locator(".chart-status", has_text="Loading").all():
        status.wait_for(state="hidden")


def look_over(page: Page) -> list[str]:
    """Return what a careful eye finds: violations of the policy, overflow, poor contrast, missing names."""
    found: dict[str, Any] = json.loads(page.evaluate(_EXAMINATION))
    return [f"{kind}: {detail}" for kind, details in found.items() for detail in details]


def _new_page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_timeout(_TIMEOUT_MS)
    return page


def _add_cookies(context: BrowserContext, base_url: str, cookies: dict[str, str]) -> None:
    context.add_cookies(
        [{"name": name, "value": value, "url": base_url} for name, value in cookies.items()]
    )
