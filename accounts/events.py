"""What the people app tells the apps above it; every event carries its person as the owner."""

from typing import Final

from foundation.events import declare

#: A person signed up; payload: hint, what their browser carried about where they came from (unread, may be "").
PERSON_REGISTERED: Final = declare("accounts.person-registered")

#: A person may not come in any more, and nothing may trade for them; payload: none.
PERSON_DEACTIVATED: Final = declare("accounts.person-deactivated", queue="control")

#: A person may come in again; nothing that was stopped starts by itself; payload: none.
PERSON_REACTIVATED: Final = declare("accounts.person-reactivated")

#: A person asked to be deleted: what trades for them has to end first; payload: none.
PERSON_ERASURE_REQUESTED: Final = declare("accounts.person-erasure-requested", queue="control")

#: A person's data are gone, but for financial records: delete what else names them; payload: none.
PERSON_ERASED: Final = declare("accounts.person-erased")
