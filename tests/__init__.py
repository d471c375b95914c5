"""A package, so that processes of their own find test modules by name."""
