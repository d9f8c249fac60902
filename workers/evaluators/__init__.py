"""Evaluators: they say what members of a space are worth (`protocol.py`).

Each kind is imported where it is asked for: what reads the catalogue needs no torch.
"""

from workers.evaluators.protocol import Evaluator, Reading

__all__ = ["Evaluator", "Reading"]
