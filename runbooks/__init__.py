"""What we know how to do: runbooks and postmortems, embedded and searchable."""
