"""A real Django project: its admin, and one form that takes a file."""
