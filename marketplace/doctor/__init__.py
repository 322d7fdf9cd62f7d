"""A doctor for deployments: what is not as it should be, and how to mend it."""
