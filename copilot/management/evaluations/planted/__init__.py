"""Made-up secrets and personal data in made-up log lines, to measure what masking finds. Nothing in here was ever anybody's.

Each half was written whole before masking was looked at with it: the first to develop against, the second to see how the first generalises.
"""
