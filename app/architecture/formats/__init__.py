"""Formats that people exchange genotypes in."""
