"""Published spaces, one a file."""
