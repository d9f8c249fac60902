"""Comparisons of strategies: the same search by each of them, once a seed.

handler.run     the job
Inside          runs one after the other in the job's own process, where an evaluation is cheap
joined          runs that are jobs of their own, where it is not
"""
