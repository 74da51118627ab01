"""The TypeScript client: built, checked, and run against real edges."""
