"""Training of networks under a recipe."""
