"""Language models: which one is configured, one streamed call with time-outs, prompts, redaction, and what a call took.

ModelFailed              no full reply; `temporary` says whether the same call may work later
redaction.RedactionFailed  a text still holds what looks like a secret, so no prompt is sent
"""
