"""Puts data, a base model, an encoder, profiles and a method together, as a recipe says.

Knows nothing of evaluation, serving or the command line.
"""
