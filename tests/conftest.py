"""What every test may rely on; the services themselves are started by tests/services.py."""
