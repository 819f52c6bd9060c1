"""Commands of the strategies."""
