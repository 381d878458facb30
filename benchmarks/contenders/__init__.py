"""One module for each contender, the same applications in each."""
