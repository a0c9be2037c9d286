"""From text to vectors: what an embedder is, and the kinds of it."""
