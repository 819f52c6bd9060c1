"""What a profile may say."""

from typing import Final
from zoneinfo import available_timezones

from market.errors import FieldProblem, InvalidInputError

#: What amounts of several markets can be shown in, the default first.
CURRENCIES: Final = ("USDT", "USDC", "USD", "EUR", "GBP", "BTC")
THEMES: Final = ("SYSTEM", "LIGHT", "DARK")
LONGEST_NAME: Final = 80
LONGEST_BIO: Final = 500

#: Zones that people live in; the rest of the database are aliases and technical ones.
_REGIONS: Final = (
    "Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/",
    "Indian/", "Pacific/",
)  # fmt: skip


def time_zones() -> tuple[str, ...]:
    """Return the zones to choose from, UTC first."""
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(_REGIONS)))


def check_profile(
    *, display_name: str, bio: str, time_zone: str, currency: str, theme: str
) -> dict[str, str]:
    """Return the cleaned values by name; raise InvalidInputError with all that is wrong at once."""
    name, about = " ".join(display_name.split()), bio.replace("\r\n", "\n").strip()
    problems = []
    if len(name) > LONGEST_NAME or not name.isprintable():
        message = f"A name has at most {LONGEST_NAME} printable characters."
        problems.append(FieldProblem("display_name", "invalid_characters", message))
    if len(about) > LONGEST_BIO or not about.replace("\n", "").isprintable():
        message = f"This has at most {LONGEST_BIO} printable characters."
        problems.append(FieldProblem("bio", "invalid_characters", message))
    for field, value, allowed in (
        ("time_zone", time_zone, time_zones()),
        ("currency", currency, CURRENCIES),
        ("theme", theme, THEMES),
    ):
        if value not in allowed:
            problems.append(FieldProblem(field, "invalid_choice", "That choice is not available."))
    if problems:
        raise InvalidInputError(problems[0].message, problems=problems)
    return {
        "display_name": name,
        "bio": about,
        "time_zone": time_zone,
        "currency": currency,
        "theme": theme,
    }
