"""The operators' summary: how the whole platform is doing."""
