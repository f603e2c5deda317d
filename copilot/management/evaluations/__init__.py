"""What `manage.py evaluate` can measure, one module a subject.

Each module says what it is in `HELP`, adds its options in `add_arguments(parser)`, and measures in `run(options, write=)`, where
`write` takes one line for the user. A subject is added by its module and one line in `commands.evaluate.SUBJECTS`.
"""
