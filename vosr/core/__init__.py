"""What every other package stands on: components and their registries, random streams, weights, files."""
