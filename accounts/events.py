"""What the people app tells the apps above it."""

from typing import Final

from foundation.events import declare

#: A person signed up; payload: none beyond the owner.
PERSON_REGISTERED: Final = declare("accounts.person-registered")
