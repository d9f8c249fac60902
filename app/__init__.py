"""Cellar: neural architecture search as a service."""
