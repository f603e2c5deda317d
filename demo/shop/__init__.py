"""A small real shop, for something to watch break.

    load → storefront → catalog   (PostgreSQL, Valkey cache)
                      → cart      (Valkey)
                      → orders    (PostgreSQL) → catalog
                                               → payments (PostgreSQL) → card provider (not instrumented)

Every service is its own process; `process` is what each one runs, `run` starts and stops them all, `faults` breaks them.
"""
