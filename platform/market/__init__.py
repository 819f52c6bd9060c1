"""The trading words and their arithmetic: pure Python and numpy, imported by everything."""
