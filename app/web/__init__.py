"""Pages and vendored static files."""
