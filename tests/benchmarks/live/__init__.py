"""Live trading at scale: thousands of deployments, real workers, a real database."""
