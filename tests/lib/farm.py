"""milter-defer with Redis behind it, and what it does without.

Clients in STRANGERS are greylisted.  While the store is away, strangers are
deferred with another text and FRIENDS are accepted; so an answer tells whether
it came from the store or from the failure rule.
"""

import os

from lib.daemon import Daemon
from lib.policies import GREYLISTED, response

INTERNAL = "451 Internal resource temporarily unavailable."
FAULT = r"Redis at \S+"  # how each line about one begins

RESPONSES = (response("greylisted", GREYLISTED)
             + response("internal-resource", INTERNAL))
STORE_IS_AWAY = '''
rule "friends" {
    client = {"198.51.0.0/16"}  store_down = true  verdict = accept
}
rule "away" {
    store_down = true  verdict = defer  response = "internal-resource"
}
'''


def strangers(delay="1h"):
    return ('rule "strangers" { verdict = greylist  by = triplet  '
            f'delay = {delay}  response = "greylisted"  at = data }}\n')


POLICY = RESPONSES + STORE_IS_AWAY + strangers()


def friend(number):
    return f"198.51.{number}.7"


def stranger(number):
    return f"203.0.{number}.7"


def network(address):
    """The /24 in which it lies, as its record is named."""
    return address.rsplit(".", 1)[0] + ".0/24"


def record(address, prefix="mdefer:1:"):
    """The key in Redis of this client's record."""
    return f"{prefix}{{{network(address)}}}"


def redis(servers, **options):
    """The section `redis`; `servers` is one address or a list of them.  A test
    that is not about the deadline has one that a busy machine keeps."""
    if isinstance(servers, str):
        servers = [servers]
    lines = ["servers = {" + ", ".join(f'"{one}"' for one in servers) + "}"]
    options.setdefault("deadline", "5s")
    lines += [f'{name} = "{value}"' for name, value in options.items()]
    return "redis {\n    " + "\n    ".join(lines) + "\n}\n"


def daemon(section, policy=POLICY, faults=False, own_secret=True):
    """A Daemon that keeps what it knows in Redis.  With `faults` it may say
    that something is wrong with Redis; without `own_secret` the secret of the
    farm lives in Redis, too."""
    if own_secret:
        section += 'secret_file = "@DIR@/secret"\n'
    milter = Daemon(section + policy)
    put(milter, "secret", "0123456789abcdef" * 4)
    if not own_secret:
        milter.expect("no secret_file is set")
    if faults:
        milter.expect(FAULT)
    return milter


def put(milter, name, text):
    """A file which only its owner may read, in the daemon's directory."""
    path = os.path.join(milter.directory, name)
    with open(path, "w", opener=lambda p, flags: os.open(p, flags, 0o600),
              encoding="ascii") as file:
        file.write(text + "\n")
    return path


def said_of_redis(milter):
    """What the daemon has logged about faults, without the decisions."""
    return [line[line.index("Redis at"):] for line in milter.log()
            if "Redis at" in line and "verdict=" not in line]
