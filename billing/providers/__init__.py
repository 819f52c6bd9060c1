"""Payment providers: the outside world that takes the money."""
