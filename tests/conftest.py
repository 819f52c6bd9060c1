"""What holds for the whole suite."""

from hypothesis import settings

# A slow machine is no bug: speed is measured by `make bench`, never by a property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
