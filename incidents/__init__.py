"""What is wrong, since when, and how long it took to mend."""
