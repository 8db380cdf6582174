"""``python -m cli``: how the supervisor starts the parts."""

from cli.main import main

main()
