"""Tailrace beside what users would take instead, under the same load on the same machine: `make bench`."""
