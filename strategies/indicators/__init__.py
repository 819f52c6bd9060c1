"""Indicators: pure functions of arrays, undefined (NaN) until they have seen enough bars."""
