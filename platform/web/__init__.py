"""Pages and commands that span apps."""
