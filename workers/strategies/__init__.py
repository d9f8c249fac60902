"""Search strategies. Two kinds, which share nothing: only the first needs torch, so nothing is imported here.

shared_weights    weights of one supernet's open decisions, learnt with the network's
discrete          members of a space, one after another, from what was measured of those before
"""
