"""Settings by environment: ``local``, ``test``, ``production``, each over ``base``."""
