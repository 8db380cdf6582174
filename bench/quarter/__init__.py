"""A database as a busy installation has it after a quarter: the ground of `bench.operate`."""
