"""HTTP, version 1."""
