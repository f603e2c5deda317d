"""What an attacker may write into telemetry, how it comes in, and models that do with it the worst they can. All of it written by us."""
