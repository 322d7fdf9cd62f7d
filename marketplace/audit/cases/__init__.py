"""What the record shows that somebody should look into: rules that read it, and a case file for each finding."""
