"""The catalogue as harvesters, search engines and tools read it: mappings of the public documents, and addresses."""
