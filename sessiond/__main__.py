"""``python -m sessiond``: the command line."""

from sessiond.cli.main import main

if __name__ == "__main__":
    main()
