"""kazoo through leader kills: `kazoo_failover.py HOST:PORT,HOST:PORT,...`.

Prints `READY`, waits for a line per kill, checks, prints `PASS name` or `FAIL name reason` per
check and `READY` again; at the end of its input a summary.
"""

import logging
import sys
import threading
import time
import uuid

from kazoo.client import KazooClient, KazooState
from kazoo.retry import KazooRetry

WAIT = 60.0
PATH = "/kazoo-failover-" + uuid.uuid4().hex[:12]


def eventually(condition, message):
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(message)


class Peer:
    """A session that must outlive every kill, and what it was told about its connection."""

    def __init__(self, hosts, name):
        self.name = name
        self.suspended = self.lost = 0
        retry = dict(max_tries=-1, delay=0.05, max_delay=0.5)
        self.zk = KazooClient(hosts=hosts, timeout=60.0, connection_retry=retry, command_retry=retry)
        self.zk.add_listener(self.told)
        self.zk.start(timeout=WAIT)
        self.session = self.zk.client_id[0]
        self.ephemeral = PATH + "/ephemeral-" + name
        self.zk.retry(self.zk.create, self.ephemeral, b"", ephemeral=True, makepath=True)
        self.lock = self.zk.Lock(PATH + "/lock", name)

    def told(self, state):
        self.suspended += state == KazooState.SUSPENDED
        self.lost += state == KazooState.LOST

    def check_session(self):
        eventually(lambda: self.zk.connected, "no connection again")
        if self.zk.client_id[0] != self.session or self.lost:
            raise AssertionError("session %x lost" % self.session)
        stat = self.zk.retry(self.zk.exists, self.ephemeral)
        if stat is None or stat.ephemeralOwner != self.session:
            raise AssertionError("the ephemeral node is gone")


class Scene:
    def __init__(self, hosts):
        self.peers = [Peer(hosts, "first"), Peer(hosts, "second")]
        self.events = []
        self.seen = []
        first = self.peers[0]
        self.data = PATH + "/data"
        first.zk.create(self.data, b"0")
        first.zk.DataWatch(self.data, lambda data, stat: self.seen.append(data))
        first.zk.get(self.data, watch=self.events.append)
        self.holder, self.waiter = self.peers
        self.holder.lock.acquire(timeout=WAIT)
        self.wait_for_lock()

    def wait_for_lock(self):
        self.acquired = threading.Event()

        def acquire():
            if self.waiter.lock.acquire(timeout=2 * WAIT):
                self.acquired.set()

        threading.Thread(target=acquire, daemon=True).start()
        holder = self.holder
        eventually(lambda: len(holder.zk.retry(holder.lock.contenders)) == 2, "the waiter does not queue")

    def sessions(self, kill):
        for peer in self.peers:
            peer.check_session()

    def watches(self, kill):
        first, second = self.peers
        value = str(kill).encode()
        second.zk.retry(second.zk.set, self.data, value)
        eventually(lambda: len(self.events) == kill, "one event per change: %r" % self.events)
        eventually(lambda: self.seen[-1] == value, "DataWatch saw %r" % self.seen)
        first.zk.retry(first.zk.get, self.data, watch=self.events.append)

    def locks(self, kill):
        if self.acquired.is_set():
            raise AssertionError("two holders")
        names = self.holder.zk.retry(self.holder.lock.contenders)
        if names != [self.holder.name, self.waiter.name]:
            raise AssertionError("contenders %r" % names)
        KazooRetry(max_tries=-1)(self.holder.lock.release)
        if not self.acquired.wait(WAIT):
            raise AssertionError("the lock is not passed on")
        self.holder, self.waiter = self.waiter, self.holder
        self.wait_for_lock()


def main():
    logging.disable(logging.CRITICAL)
    scene = Scene(sys.argv[1])
    failed = kills = 0
    print("READY", flush=True)
    for line in sys.stdin:
        kills = int(line.split()[1])
        for check in (scene.sessions, scene.watches, scene.locks):
            name = "kazoo kill %d: %s" % (kills, check.__name__)
            try:
                check(kills)
                print("PASS " + name, flush=True)
            except Exception as error:
                failed += 1
                print("FAIL %s: %s: %s" % (name, type(error).__name__, error), flush=True)
        print("READY", flush=True)
    suspended = sum(peer.suspended for peer in scene.peers)
    print("PASS kazoo: %d kills, 2 sessions, connections suspended %d times" % (kills, suspended), flush=True)
    sys.stdout.flush()
    # Waiting threads of the lock would hold the interpreter back.
    import os

    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
