"""The incidents app's pages, one module a subject. Each view makes one domain call."""
