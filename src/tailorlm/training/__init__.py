"""One training loop, its samplers and checkpoints, and many users' parameters trained side by side.

Knows nothing of methods, models or users' text: objectives and batches arrive through two small protocols.
Source: design sections 1 and 3; docs/training.md.
"""
