"""Measurements of exported files; none is shown for a file that has not passed parity."""
