"""The pages: each view reads rows, makes plain values for its template, or makes one call of the domain."""
