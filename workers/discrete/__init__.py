"""Discrete searches: a strategy proposes, an evaluator measures, and all of it is remembered.

Exploration(request, space, evaluator).run()     one search, without a job
handler.run                                      the job
"""
