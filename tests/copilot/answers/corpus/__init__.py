"""Claims with the evidence they cite, labelled by hand: what the checker must let pass, mark, and strike."""
