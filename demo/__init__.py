"""The demo: a small real shop with real faults, recordings of its outages, and the knowledge that its engineers would have."""
