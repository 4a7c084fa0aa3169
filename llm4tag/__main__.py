"""Where the command ``llm4tag`` begins: Ctrl-C is answered in a word from the first import on."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from llm4tag.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was begun\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
