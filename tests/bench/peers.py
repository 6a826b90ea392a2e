"""Other greylisting filters, where they are installed, set up to do what
milter-defer does with a stranger: remember a triplet and defer it for 3 hours.

milter-greylist and postgrey say so at RCPT, milter-defer at DATA; rspamd decides by
the message as a whole, at its end, and asks Redis.  postgrey is
no milter: it is asked by Postfix alone (through.py).  milter-greylist that is not
installed may be named by $MILTER_GREYLIST.
"""

import os
import shutil
import subprocess
import time

from contenders import Contender, answers
from lib import daemon
from lib.redis_servers import encode

HOURS = 3
GREYLIST_CONF = f"""\
dumpfile "@DIR@/greylist.db" 600
dumpfreq -1
quiet
nospf
noauth
timeout 5d
racl greylist default delay {HOURS}h
"""
# Of rspamd the greylisting alone; each message is suspicious enough for it.
RSPAMD_CONF = f"""\
lua = "@DIR@/rules.lua";
modules {{ path = "/usr/share/rspamd/plugins/greylist.lua"; }}
options {{ filters = ""; pidfile = "@DIR@/pid"; tempdir = "@DIR@";
    control_socket = "@DIR@/control"; cache_file = "@DIR@/cache";
    hs_cache_dir = "@DIR@"; url_tld = "@DIR@/tld"; }}
logging {{ type = "file"; filename = "@DIR@/log"; level = "error"; }}
metric {{ name = "default"; actions {{ greylist = 1; reject = 1000; }} }}
greylist {{ servers = "@REDIS@"; timeout = {HOURS}h; expire = 1d; }}
worker "rspamd_proxy" {{ bind_socket = "@DIR@/socket mode=0666"; milter = yes;
    timeout = 120s; count = 1;
    upstream "local" {{ default = yes; self_scan = yes; }} }}
"""
RSPAMD_RULES = """\
rspamd_config:register_symbol{name = 'STRANGER', score = 5.0,
    callback = function(task) return true end}
"""
FILL_POSTGREY = """\
use BerkeleyDB;
my ($home, $count) = @ARGV;
my $env = BerkeleyDB::Env->new(-Home => $home,
    -Flags => DB_CREATE|DB_RECOVER|DB_INIT_TXN|DB_INIT_MPOOL|DB_INIT_LOG) or die;
my $db = BerkeleyDB::Btree->new(-Filename => 'postgrey.db', -Flags => DB_CREATE,
    -Env => $env) or die;
my $now = time;
for my $n (1..$count) {
    my $net = join '.', 1 + ($n >> 16), $n >> 8 & 255, $n & 255, 0;
    $db->db_put("$net/old$n\\@old.example/user\\@local.test", "$now,$now");
}
"""


def write(directory, name, text, redis=""):
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text.replace("@DIR@", directory).replace("@REDIS@", redis))
    return path


def start(stage, name, socket, *command, asks_redis=False, worker=False):
    """Start it; it is stopped with the stage."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    stage.callback(process.wait)
    stage.callback(process.terminate)
    daemon.wait_for(lambda: answers(socket), f"{name} listens")
    os.chmod(socket, 0o666)
    contender = Contender(name, f"unix:{socket}", process, asks_redis)
    if worker:
        contender.until = "eom"  # where it decides
        contender.pid = daemon.wait_for(lambda: worker_of(process.pid),
                                        f"{name} has a worker")
    return contender


def worker_of(pid):
    """The child of rspamd that answers."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = file.read().split()
    for child in children:
        try:
            with open(f"/proc/{child}/cmdline") as file:
                if "proxy" in file.read():
                    return int(child)
        except OSError:
            pass  # it has ended
    return None


def find(name):
    path = os.environ.get(name.upper().replace("-", "_")) or shutil.which(
        name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return path if path and os.access(path, os.X_OK) else None


def milter_greylist(stage, directory, triplets):
    program = find("milter-greylist")
    if not program:
        return None
    until = int(time.time()) + HOURS * 3600
    write(directory, "greylist.db", "".join(
        f"{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.{n * 101 % 254 + 1}\t<old{n}@old.example>\t"
        f"<user@local.test>\t{until}\n" for n in range(triplets)))
    conf = write(directory, "conf", GREYLIST_CONF)
    socket = os.path.join(directory, "socket")
    return start(stage, "milter-greylist", socket, program, "-D", "-f", conf,
                 "-p", socket, "-u", "root")


def rspamd(stage, directory, triplets):
    program = find("rspamd")
    if not program:
        return None
    write(directory, "rules.lua", RSPAMD_RULES)
    write(directory, "tld", "com\norg\nnet\nexample\n")
    conf = write(directory, "conf", RSPAMD_CONF, stage.redis_path)
    if triplets:
        with stage.redis.client(timeout=60) as client:
            client.socket.sendall(encode(("CLIENT", "REPLY", "OFF")) + b"".join(
                encode(("SET", f"rg{n:021d}", "1795890963", "EX", "86400"))
                for n in range(triplets)))
            client.ask("CLIENT", "REPLY", "ON")
    return start(stage, "rspamd + Redis", os.path.join(directory, "socket"),
                 program, "-f", "-c", conf, "--insecure", "-u", "root", "-g",
                 "root", asks_redis=True, worker=True)


def postgrey(stage, directory, triplets):
    program = find("postgrey")
    if not program:
        return None
    os.makedirs(directory, mode=0o755, exist_ok=True)
    if triplets:
        subprocess.run(["perl", "-e", FILL_POSTGREY, directory, str(triplets)],
                       check=True)
    socket = os.path.join(directory, "socket")
    return start(stage, "postgrey", socket, program, f"--unix={socket}",
                 f"--dbdir={directory}", "--user=root", "--group=root",
                 f"--delay={HOURS * 3600}", "--greylist-action=451 4.7.1 wait",
                 "--whitelist-clients=/dev/null",
                 "--whitelist-recipients=/dev/null")
