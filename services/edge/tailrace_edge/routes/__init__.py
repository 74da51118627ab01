"""The routes beside the stream: one module for each noun of the HTTP interface."""
