"""The table of contents of the API: one file a noun, at most ten lines a route."""
