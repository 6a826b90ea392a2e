"""Databases in the format of MaxMind, version 2.0: what libmaxminddb reads."""

import ipaddress


def _value(value):
    """One field of the data section: a control byte, and what it says."""
    if isinstance(value, str):
        data = value.encode()
        return bytes([2 << 5 | len(data)]) + data
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(
            _value(key) + _value(item) for key, item in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_value, value))
    kind, size = value[1]
    data = value[0].to_bytes(size, "big").lstrip(b"\0")
    if kind > 7:
        return bytes([len(data), kind - 7]) + data
    return bytes([kind << 5 | len(data)]) + data


UINT16, UINT32, UINT64 = (5, 2), (6, 4), (9, 8)


def uint32(number):
    return number, UINT32


def write(path, kind, entries):
    """{network: record}; a record is of strings, dictionaries and uint32()."""
    nodes, data, leaves = [[None, None]], b"", {}
    for network, record in entries.items():
        network = ipaddress.ip_network(network)
        number, bits = int(network.network_address), network.prefixlen
        if network.version == 4:
            bits += 96
        leaf = -1 - len(leaves)
        leaves[leaf] = len(data)
        data += _value(record)
        node = 0
        for place in range(bits):
            side = number >> 127 - place & 1
            if place == bits - 1:
                nodes[node][side] = leaf
            else:
                if nodes[node][side] is None:
                    nodes.append([None, None])
                    nodes[node][side] = len(nodes) - 1
                node = nodes[node][side]
    tree = b""
    for record in (side for node in nodes for side in node):
        if record is None:
            record = len(nodes)
        elif record < 0:
            record = len(nodes) + 16 + leaves[record]
        tree += record.to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": (2, UINT16),
        "binary_format_minor_version": (0, UINT16),
        "build_epoch": (1700000000, UINT64),
        "database_type": kind,
        "description": {"en": kind},
        "ip_version": (6, UINT16),
        "languages": ["en"],
        "node_count": (len(nodes), UINT32),
        "record_size": (24, UINT16),
    }
    with open(path, "wb") as file:
        file.write(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" +
                   _value(metadata))
