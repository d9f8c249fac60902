"""Constraints: conditions on members beside the grammar."""
