"""``python -m aurigrid.cli``."""

from aurigrid.cli import main

if __name__ == "__main__":
    main()
