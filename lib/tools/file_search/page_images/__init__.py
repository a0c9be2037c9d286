"""Pages of PDF files as images, with quotes highlighted."""
