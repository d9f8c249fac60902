"""Meanings: one family a file."""
