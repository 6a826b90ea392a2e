"""Figures that a test program prints when all its tests are done."""

import sys


class Table:
    def __init__(self, title, *columns):
        self.title = title
        self.rows = [columns]

    def add(self, *cells):
        self.rows.append([format_cell(cell) for cell in cells])

    def print(self):
        if len(self.rows) == 1:
            return
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        print(f"\n{self.title}", file=sys.stderr)
        for row in self.rows:
            line = "  ".join(cell.ljust(width)
                             for cell, width in zip(row, widths))
            print("  " + line.rstrip(), file=sys.stderr)


def format_cell(cell):
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
