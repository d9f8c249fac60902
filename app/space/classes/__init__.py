"""Classes of genotypes under the equivalences that spaces name: how many, which form stands for each, how large.

`READINGS` is searched in order: the first reading of an equivalence whose structure suits a space answers for it.
"""

from app.space.classes.reading import Classes, Reading

__all__ = ["Classes", "Reading"]
