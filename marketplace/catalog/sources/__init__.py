"""Where a provider publishes what becomes the next releases of a dataset, and how often it is fetched."""
