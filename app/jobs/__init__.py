"""The contract between front ends and workers."""
