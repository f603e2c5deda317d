"""What one machine needs to run everything: real services as child processes, and the supervisor that keeps them.

Errors:
    EmbeddedError               something that a person can put right; the message says what happened and what to do
    ├── NotReadyError           a component did not answer in time
    ├── AlreadyRunningError     another supervisor runs this `var/`
    └── ModelFileError          the local model's file cannot be had, or is not the one expected
"""
