"""Reading foreign files inside a sandboxed subprocess."""
