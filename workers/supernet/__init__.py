"""Supernets: weights of decisions, discretisation."""
