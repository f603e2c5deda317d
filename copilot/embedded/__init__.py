"""What one machine needs to run everything: real services as child processes, and the supervisor that keeps them.

Errors:
    EmbeddedError           something that a person can put right; the message says what happened and what to do
    └── NotReady            a component did not answer in time
"""
