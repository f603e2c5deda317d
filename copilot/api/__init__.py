"""The REST API, version 1: what pages can do, for programs, with its description at /api/v1/openapi.json and /api/v1/docs."""
