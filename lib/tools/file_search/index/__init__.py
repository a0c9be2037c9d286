"""Where chunks and vectors are kept and found."""
