"""Files, as bareasgi-static serves them."""
