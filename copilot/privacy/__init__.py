"""What a language model may read of telemetry: no secrets, and stand-ins for what tells who a person is."""
