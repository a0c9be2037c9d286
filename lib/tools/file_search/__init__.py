"""Retrieval over files: parse, chunk, embed, index, rank and cite. Knows no engine and no HTTP."""
