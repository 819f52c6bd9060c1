"""The environment, read once and checked as a whole; every module of settings takes its values from here."""

from pathlib import Path
from typing import Final

from config.env import KNOWN_NAMES, load_environment

ENVIRONMENT: Final = load_environment()
#: Every variable that may be set.
VARIABLES: Final = KNOWN_NAMES
BASE_DIR: Final = Path(__file__).resolve().parents[3]
SITE_NAME: Final = "Trading Platform"
