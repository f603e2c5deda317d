"""A made-up year of incidents for trying things out: `world` is the cast, `invention` throws the dice, `writing` keeps and removes rows.

Everything is marked: incidents and alerts carry `is_demo`, services begin with "demo-", teams end with "(demo)", and the people, who cannot
sign in, begin with "demo-". Nothing of it can be joined by real telemetry, and all of it can be removed again.
"""
