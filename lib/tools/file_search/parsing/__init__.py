"""From a file's bytes to its text, page by page."""
