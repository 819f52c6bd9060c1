"""The words and the arithmetic of billing, without tables."""
