"""Looks things up for one question: a closed set of tools over what the incident knows, called by a model that can, or by code.

`loop` is the model's way, `plan` the code's; both call `toolbox`, write what they did into a `ledger`, and end in an answer whose
claims are checked like those of any other.
"""
