"""Money that came by bank transfer: virtual accounts, lines of bank statements, and what each line pays."""
