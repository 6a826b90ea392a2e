#!/usr/bin/env python3
"""compile_commands.py SOURCE COMMAND...: a compilation database for editors and
clang tools, on standard output.  COMMAND is the compiler with its options."""

import glob
import json
import os
import sys


def main():
    source, *command = sys.argv[1:]
    source = os.path.abspath(source)
    files = [path for folder in ("milter", "tests")
             for path in glob.glob(f"{source}/{folder}/**/*.c", recursive=True)]
    json.dump([{"directory": os.getcwd(), "file": path,
                "arguments": [*command, "-c", path]}
               for path in sorted(files)], sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
