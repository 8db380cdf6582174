"""The ``governance`` command: run the system or a part of it, and operate it from a terminal."""
