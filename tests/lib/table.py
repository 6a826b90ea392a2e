"""Figures that a test program prints when all its tests are done."""

import sys

_collected = None


def collect():
    """From now on a table that is printed is kept for collected() instead."""
    global _collected
    _collected = []


def collected():
    return _collected


def print_all(tables):
    """Tables of one title in one piece."""
    merged = {}
    for table in tables:
        if table.title in merged:
            merged[table.title].rows += table.rows[1:]
        else:
            merged[table.title] = table
    for table in merged.values():
        table.print()


class Table:
    def __init__(self, title, *columns):
        self.title = title
        self.rows = [columns]

    def add(self, *cells):
        self.rows.append([format_cell(cell) for cell in cells])

    def print(self):
        if len(self.rows) == 1:
            return
        if _collected is not None:
            _collected.append(self)
            return
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        print(f"\n{self.title}", file=sys.stderr)
        for row in self.rows:
            line = "  ".join(cell.ljust(width)
                             for cell, width in zip(row, widths))
            print("  " + line.rstrip(), file=sys.stderr)


def format_cell(cell):
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
