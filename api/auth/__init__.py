"""Who asks, and what they may do: one matrix, enforced in one place, before any route runs."""
