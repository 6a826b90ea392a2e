"""Pieces of configuration that several tests use."""

GREYLISTED = "451 4.7.1 Greylisted, try again after some time."
POOR = "451 4.7.1 IP Reputation Greylisted."
BUSY = "451 4.7.500 Server busy. Please try again later from [{}]."

OWN_NETWORKS = '''
rule "own networks" { client = {"10.0.0.0/8", "fd00::/8"}  verdict = accept }
rule "authenticated" { authenticated = true  verdict = accept }
'''


def response(name, *lines):
    """A response with these lines: `response "name" { reply = "..." }`."""
    texts = ", ".join(f'"{line}"' for line in lines)
    value = texts if len(lines) == 1 else "{" + texts + "}"
    return f'response "{name}" {{ reply = {value} }}\n'


def greylisting(delay="1h"):
    """Strangers wait for `delay`; own networks and logged-in users do not."""
    return (response("greylisted", GREYLISTED) + OWN_NETWORKS
            + 'rule "strangers" { verdict = greylist  by = triplet  '
            f'delay = {delay}  response = "greylisted"  at = data }}\n')


def defer_all(text, *conditions):
    """One rule that defers, with that text, whatever meets the conditions."""
    return (response("no", text) + 'rule "all" { '
            + "  ".join([*conditions, 'verdict = defer  response = "no"'])
            + " }\n")
