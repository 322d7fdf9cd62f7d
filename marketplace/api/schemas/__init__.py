"""What goes in and out of the interface, as marshmallow schemas."""
