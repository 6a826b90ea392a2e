#!/usr/bin/env python3
"""convert.py SUITE.yml: the test suite for RFC 7208 as rows of tab-separated
fields.  README describes them.  Needs python3-yaml."""

import sys

import yaml

TIMEOUT = "TIMEOUT"


def escape(text):
    """The suite's octets, as YAML reads them; no blank ends a row."""
    escaped = "".join(
        char if " " <= char <= "~" and char != "\\" else f"\\x{ord(char):02x}"
        for char in text)
    return escaped[:-1] + "\\x20" if escaped.endswith(" ") else escaped


def row(*fields):
    print("\t".join(escape(str(field)) for field in fields).rstrip("\t"))


def value_of(kind, value):
    if kind == "MX":
        return f"{value[0]} {value[1]}"
    return "".join(value) if isinstance(value, list) else value


def records(entries):
    """(type, value) of one name."""
    pairs = [(TIMEOUT, "") if entry == TIMEOUT else next(iter(entry.items()))
             for entry in entries]
    has_text = any(kind == "TXT" for kind, _ in pairs)
    for kind, value in pairs:
        if value == "NONE" or (kind == "SPF" and has_text):
            continue
        kind = "TXT" if kind == "SPF" else kind
        yield kind, value_of(kind, value)


def convert(suite):
    row("suite", suite["description"])
    for name, entries in suite["zonedata"].items():
        for kind, value in records(entries):
            row("rr", str(name).lower(), kind, value)
    for name, case in suite["tests"].items():
        result = case["result"]
        row("case", name, case["spec"], case["host"], case["mailfrom"],
            case["helo"], ",".join([result] if isinstance(result, str) else result))


def main():
    print("# RFC 7208 test suite, release 2014.04; see README and LICENSE.")
    with open(sys.argv[1], encoding="utf-8") as file:
        for suite in yaml.safe_load_all(file):
            convert(suite)


main()
