"""What every plugin promises, held by one suite that runs once for each of them."""
