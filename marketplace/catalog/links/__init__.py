"""Links: where the files of foreign records lie, and whether they still lead somewhere."""
