#!/usr/bin/env python3
"""house.py [--check|--tags] SOURCE: what the house measures, floor by floor.

For each folder of milter/: files, lines, functions and how long they are, and
which share of its public functions has exactly one caller.  For all of it: on
how many levels modules include each other, and in how many circles.

A caller is a function that names the function, or a table outside functions;
tests are none.  A level is a module, x.h and x.c.  With --check: only whether a
folder, or what one must read to change a verdict, has grown too large.  With
--tags: a tags file for vi and its kin.

It reads the layout that `make format` makes, in which each definition has its
name at the begin of a line.
"""

import collections
import os
import re
import statistics
import sys

HEART = "policy", "session"  # what one must read to change a verdict
# Of both; raising it is a decision: what is added here is read by whoever changes a
# verdict, and wants a place of its own if it can have one.
MOST_LINES = 5550
MOST_FILES = 30  # of a folder

HEAD = re.compile(r"^(\w+)\(")
INCLUDE = re.compile(r'^#include "(.*)"', re.MULTILINE)
WORD = re.compile(r"\b[a-z_]\w*\b")
NO_CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|//[^\n]*', re.DOTALL)


class Function:
    def __init__(self, name, path, line, is_public):
        self.name = name
        self.path = path
        self.line = line
        self.is_public = is_public
        self.length = 0
        self.body = []


class File:
    def __init__(self, path, text):
        self.path = path
        self.folder = os.path.dirname(path)
        self.text = text
        self.lines = text.count("\n")
        self.includes = INCLUDE.findall(text)
        self.functions = []
        self.rest = []  # lines outside functions
        self._parse(NO_CODE.sub(blank, text).split("\n"))

    def _parse(self, lines):
        number = 0
        while number < len(lines):
            end = self._definition(lines, number)
            if end is None:
                self.rest.append(lines[number])
                number += 1
            else:
                number = end + 1

    def _definition(self, lines, start):
        """The last line of the function whose name stands here, or None."""
        head = HEAD.match(lines[start])
        if not head:
            return None
        begin = start
        while begin < len(lines) and lines[begin] != "{":
            if lines[begin].rstrip().endswith(";"):
                return None
            begin += 1
        end = begin
        while end < len(lines) and lines[end] != "}":
            end += 1
        if end >= len(lines):
            return None
        made = Function(head[1], self.path, start + 1,
                        not is_static(lines, start))
        made.length = end - start + 2  # with the line of its type
        made.body = lines[begin:end]
        self.functions.append(made)
        return end


def blank(found):
    return "\n" * found[0].count("\n")


def is_static(lines, start):
    """The type stands on the lines before the name."""
    while start > 0 and lines[start - 1].strip() not in ("", "}", "};"):
        start -= 1
        if lines[start].startswith("static"):
            return True
    return False


def read(source):
    top = os.path.join(source, "milter")
    files = {}
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith((".c", ".h")):
                full = os.path.join(folder, name)
                path = os.path.relpath(full, top)
                with open(full, encoding="utf-8") as text:
                    files[path] = File(path, text.read())
    return files


def callers(files):
    """name of a public function -> who names it"""
    public = {function.name for file in files.values()
              for function in file.functions if function.is_public}
    found = collections.defaultdict(set)
    for file in files.values():
        for function in file.functions:
            for word in words(function.body) & public - {function.name}:
                found[word].add((file.path, function.name))
        if file.path.endswith(".c"):
            for word in words(file.rest) & public:
                found[word].add((file.path, None))
    return found


def words(lines):
    return set(WORD.findall("\n".join(lines)))


def includes(files):
    return {path: [one for one in file.includes if one in files]
            for path, file in files.items()}


def modules(files):
    """module -> modules that it includes; a module is x.h and x.c"""
    below = collections.defaultdict(set)
    for path, file in files.items():
        name = module(path)
        below[name] |= {module(one) for one in file.includes if one in files}
        below[name].discard(name)
    return below


def module(path):
    return os.path.splitext(path)[0]


def levels(below):
    """(levels of modules, circles that were met on the way down)"""
    depth, circles = {}, set()

    def visit(name, above):
        if name in above:
            circles.add(frozenset(above[above.index(name):]))
            return 0
        if name not in depth:
            found = [visit(one, above + [name]) for one in sorted(below[name])]
            depth[name] = 1 + max(found, default=0)
        return depth[name]

    return max(visit(name, []) for name in sorted(below)), circles


def folder_circles(files):
    """Pairs of folders each of which includes the other."""
    edges = {(file.folder, files[one].folder) for file in files.values()
             for one in file.includes if one in files}
    return sum((b, a) in edges for a, b in edges if a < b)


def row(name, files, called):
    functions = [function for file in files for function in file.functions]
    public = [function for function in functions if function.is_public]
    once = sum(len(called[function.name]) == 1 for function in public)
    lengths = [function.length for function in functions] or [0]
    p90 = sorted(lengths)[int(0.9 * (len(lengths) - 1))]
    share = f"{100 * once / len(public):.0f} %" if public else "-"
    return (name, len(files), sum(file.lines for file in files),
            len(functions), int(statistics.median(lengths)), p90, max(lengths),
            len(public), share)


def print_table(files):
    called = callers(files)
    folders = collections.defaultdict(list)
    for file in files.values():
        folders[file.folder].append(file)
    rows = [("folder", "files", "lines", "functions", "median", "p90",
             "longest", "public", "one caller")]
    rows += [row(name, folders[name], called) for name in sorted(folders)]
    rows.append(row("all", list(files.values()), called))
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows)]
    for cells in rows:
        print("  ".join(str(cell).rjust(width) if place else
                        str(cell).ljust(width) for place, (cell, width)
                        in enumerate(zip(cells, widths))))
    print(f"\nlevels of includes: {levels(modules(files))[0]}; circles of "
          f"files: {len(levels(includes(files))[1])}, "
          f"of folders: {folder_circles(files)}")
    print(f"{' + '.join(HEART)}: {heart_lines(files)} lines")


def heart_lines(files):
    return sum(file.lines for file in files.values() if file.folder in HEART)


def complaints(files):
    counts = collections.Counter(file.folder for file in files.values())
    for folder, count in counts.items():
        if count > MOST_FILES:
            yield f"{folder} has {count} files, more than {MOST_FILES}"
    if heart_lines(files) > MOST_LINES:
        yield (f"{' + '.join(HEART)} have {heart_lines(files)} lines, "
               f"more than {MOST_LINES}")
    if levels(includes(files))[1] or folder_circles(files):
        yield "files or folders include each other in a circle"


def print_tags(source, files):
    found = []
    for file in files.values():
        path = os.path.join(source, "milter", file.path)
        lines = file.text.split("\n")
        for function in file.functions:
            line = lines[function.line - 1].replace("\\", "\\\\")
            pattern = line.replace("/", "\\/")
            found.append(f"{function.name}\t{path}\t/^{pattern}$/")
        for number, line in enumerate(lines):
            named = re.match(r"(?:struct|enum|union) (\w+) \{|#define (\w+)",
                             line)
            if named:
                found.append(f"{named[1] or named[2]}\t{path}\t{number + 1}")
    print("!_TAG_FILE_SORTED\t1\t")
    print("\n".join(sorted(found)))


def main():
    *options, source = sys.argv[1:] or [os.path.dirname(__file__) + "/.."]
    files = read(source)
    if options == ["--tags"]:
        print_tags(source, files)
    elif options == ["--check"]:
        found = list(complaints(files))
        sys.exit("\n".join(found) if found else 0)
    elif options:
        sys.exit(__doc__)
    else:
        print_table(files)


if __name__ == "__main__":
    main()
