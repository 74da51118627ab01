"""Programs that read a stream with one client each; the Python ones run in environments of their own."""
