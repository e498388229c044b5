"""kazoo's API and recipes against one server: `kazoo_checks.py HOST:PORT`.

Prints `PASS name` or `FAIL name reason` per check and exits with 1 if any failed.
"""

import logging
import sys
import threading
import time
import traceback
import uuid

from kazoo import security
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    CancelledError,
    InvalidACLError,
    KazooException,
    LockTimeout,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.partitioner import PartitionState
from kazoo.recipe.watchers import PatientChildrenWatch
from kazoo.retry import KazooRetry

WAIT = 10.0
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def expect(condition, message="condition does not hold"):
    if not condition:
        raise AssertionError(message)


def raises(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error as caught:
        return caught
    raise AssertionError("%s was not raised" % error.__name__)


def eventually(condition, message="did not happen"):
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(message)


class Bench:
    """What a check gets: a client, a path of its own, and more clients on demand."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.clients = []
        self.path = "/kazoo-" + uuid.uuid4().hex[:12]
        self.zk = self.client()
        self.zk.create(self.path, b"")

    def client(self, chroot="", **options):
        options.setdefault("timeout", 10.0)
        client = KazooClient(hosts=self.hosts + chroot, **options)
        client.start(timeout=WAIT)
        self.clients.append(client)
        return client

    def close(self):
        try:
            root = self.client(auth_data=[("digest", "super:secret")])
            root.delete(self.path, recursive=True)
        finally:
            for client in self.clients:
                client.stop()
                client.close()


def in_thread(function):
    """Runs function aside; returns a join that re-raises what it raised."""
    failures = []

    def body():
        try:
            function()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def join():
        thread.join(WAIT)
        expect(not thread.is_alive(), "a thread did not end")
        if failures:
            raise failures[0]

    return join


# The API


@check
def create_and_get(b):
    path = b.zk.create(b.path + "/n", b"value")
    expect(path == b.path + "/n")
    data, stat = b.zk.get(path)
    expect(data == b"value" and stat.version == 0 and stat.data_length == 5)
    expect(stat.czxid == stat.mzxid == stat.pzxid and stat.ephemeralOwner == 0)
    raises(NodeExistsError, b.zk.create, path, b"")
    raises(NoNodeError, b.zk.create, b.path + "/no/parent", b"")


@check
def create_makepath(b):
    b.zk.create(b.path + "/deep/er/est", b"x", makepath=True)
    expect(b.zk.get(b.path + "/deep/er/est")[0] == b"x")
    b.zk.ensure_path(b.path + "/deep/other")
    expect(sorted(b.zk.get_children(b.path + "/deep")) == ["er", "other"])


@check
def create_with_stat(b):
    path, stat = b.zk.create(b.path + "/n", b"abc", include_data=True)
    expect(stat.data_length == 3 and path == b.path + "/n")


@check
def create_sequence(b):
    names = [b.zk.create(b.path + "/s-", sequence=True) for _ in range(3)]
    expect([n[-10:] for n in names] == ["0000000000", "0000000001", "0000000002"])


@check
def create_ephemeral(b):
    other = b.client()
    other.create(b.path + "/e", b"", ephemeral=True)
    expect(b.zk.exists(b.path + "/e").ephemeralOwner == other.client_id[0])
    raises(NoChildrenForEphemeralsError, other.create, b.path + "/e/child")
    other.stop()
    eventually(lambda: b.zk.exists(b.path + "/e") is None)


@check
def set_and_versions(b):
    path = b.path + "/n"
    b.zk.create(path, b"")
    expect(b.zk.set(path, b"1").version == 1)
    expect(b.zk.set(path, b"2", version=1).version == 2)
    raises(BadVersionError, b.zk.set, path, b"3", version=1)
    raises(NoNodeError, b.zk.set, b.path + "/absent", b"")


@check
def delete_rules(b):
    path = b.path + "/n"
    b.zk.create(path + "/child", b"", makepath=True)
    raises(NotEmptyError, b.zk.delete, path)
    raises(BadVersionError, b.zk.delete, path + "/child", version=4)
    b.zk.delete(path, recursive=True)
    expect(b.zk.exists(path) is None)
    raises(NoNodeError, b.zk.delete, path)


@check
def children_with_data(b):
    for name in ("a", "b", "c"):
        b.zk.create(b.path + "/" + name)
    children, stat = b.zk.get_children(b.path, include_data=True)
    expect(sorted(children) == ["a", "b", "c"] and stat.numChildren == 3 and stat.cversion == 3)


@check
def large_data(b):
    blob = bytes(range(256)) * 3900
    b.zk.create(b.path + "/big", blob)
    expect(b.zk.get(b.path + "/big")[0] == blob)


@check
def unicode_paths(b):
    path = b.path + "/é中"
    b.zk.create(path, b"u")
    expect("é中" in b.zk.get_children(b.path) and b.zk.get(path)[0] == b"u")


@check
def data_watch_events(b):
    events = []
    path = b.path + "/n"
    expect(b.zk.exists(path, watch=events.append) is None)
    b.client().create(path, b"")
    eventually(lambda: [e.type for e in events] == [EventType.CREATED])
    b.zk.get(path, watch=events.append)
    b.zk.set(path, b"x")
    eventually(lambda: events[-1].type == EventType.CHANGED)
    b.zk.get(path, watch=events.append)
    b.zk.delete(path)
    eventually(lambda: events[-1].type == EventType.DELETED and len(events) == 3)


@check
def child_watch_events(b):
    events = []
    b.zk.get_children(b.path, watch=events.append)
    b.zk.create(b.path + "/n")
    b.zk.create(b.path + "/m")
    eventually(lambda: events)
    b.zk.sync(b.path)
    expect([(e.type, e.path) for e in events] == [(EventType.CHILD, b.path)])


@check
def asynchronous_calls(b):
    results = [b.zk.create_async("%s/n%03d" % (b.path, i), b"x") for i in range(200)]
    for result in results:
        result.get(timeout=WAIT)
    gets = [b.zk.get_async("%s/n%03d" % (b.path, i)) for i in range(200)]
    expect(all(g.get(timeout=WAIT)[0] == b"x" for g in gets))
    failed = b.zk.delete_async(b.path + "/absent")
    raises(NoNodeError, failed.get, timeout=WAIT)


@check
def sync_call(b):
    expect(b.zk.sync(b.path) == b.path)


@check
def transactions(b):
    t = b.zk.transaction()
    t.create(b.path + "/a", b"1")
    t.set_data(b.path + "/a", b"2")
    t.check(b.path + "/a", 1)
    t.create(b.path + "/b")
    t.delete(b.path + "/b")
    results = t.commit()
    expect(results[0] == b.path + "/a" and results[1].version == 1 and results[2] is True)
    expect(b.zk.get(b.path + "/a")[0] == b"2" and b.zk.exists(b.path + "/b") is None)


@check
def transactions_roll_back(b):
    t = b.zk.transaction()
    t.create(b.path + "/a")
    t.delete(b.path + "/absent")
    t.create(b.path + "/c")
    kinds = [type(r) for r in t.commit()]
    expect(kinds == [RolledBackError, NoNodeError, RuntimeInconsistency], str(kinds))
    expect(b.zk.exists(b.path + "/a") is None)


@check
def acl_calls(b):
    path = b.path + "/n"
    acl = security.make_digest_acl("bob", "pw", all=True)
    b.zk.create(path, b"", acl=[acl])
    raises(NoAuthError, b.zk.get, path)
    bob = b.client(auth_data=[("digest", "bob:pw")])
    expect(bob.get(path)[0] == b"" and bob.get_acls(path)[0] == [acl])
    expect(bob.set_acls(path, security.READ_ACL_UNSAFE).aversion == 1)
    expect(b.zk.get(path)[0] == b"")
    raises(NoAuthError, b.zk.set, path, b"x")


@check
def creator_acl(b):
    raises(InvalidACLError, b.zk.create, b.path + "/n", b"", acl=security.CREATOR_ALL_ACL)
    b.zk.add_auth("digest", "al:x")
    b.zk.create(b.path + "/n", b"", acl=security.CREATOR_ALL_ACL)
    expect(b.zk.get_acls(b.path + "/n")[0][0].id.id.startswith("al:"))


@check
def auth_failure(b):
    other = b.client()
    raises(AuthFailedError, other.add_auth, "nope", "x")


@check
def super_user(b):
    b.zk.create(b.path + "/n", b"s", acl=[security.make_digest_acl("bob", "pw", all=True)])
    root = b.client(auth_data=[("digest", "super:secret")])
    expect(root.get(b.path + "/n")[0] == b"s")


@check
def chroot(b):
    inner = b.client(chroot=b.path)
    inner.create("/x", b"in")
    expect(b.zk.get(b.path + "/x")[0] == b"in" and inner.get_children("/") == ["x"])
    events = []
    inner.get("/x", watch=events.append)
    b.zk.set(b.path + "/x", b"out")
    eventually(lambda: [e.path for e in events] == ["/x"])


@check
def server_version_and_command(b):
    expect(b.zk.server_version() >= (3, 8, 0), str(b.zk.server_version()))
    expect(b.zk.command(b"ruok") == "imok")


@check
def session_renewed_by_id(b):
    # The first client must not come back and fight for its session.
    first = b.client(connection_retry={"max_tries": 0})
    first.create(b.path + "/e", b"", ephemeral=True)
    identity = first.client_id
    second = b.client(client_id=identity)
    expect(second.client_id == identity, "the session is another one")
    expect(second.exists(b.path + "/e").ephemeralOwner == identity[0], "the ephemeral is lost")
    eventually(lambda: first.state != KazooState.CONNECTED, "the old connection lives")


@check
def reconnect_keeps_session_and_watches(b):
    other, states, events = b.client(), [], []
    other.add_listener(states.append)
    other.create(b.path + "/e", b"", ephemeral=True)
    watched = other.DataWatch(b.path + "/e", lambda data, stat: events.append(data))
    expect(watched is not None)
    before = other.client_id
    other._connection._socket.shutdown(2)
    eventually(lambda: KazooState.SUSPENDED in states and other.connected)
    expect(other.client_id == before)
    b.zk.set(b.path + "/e", b"again")
    eventually(lambda: events[-1] == b"again")


@check
def retry_helper(b):
    calls = []

    def flaky():
        calls.append(1)
        if len(calls) < 3:
            raise KazooRetry.RETRY_EXCEPTIONS[0]()
        return b.zk.exists(b.path)

    expect(KazooRetry(max_tries=5, delay=0.01)(flaky) is not None and len(calls) == 3)


@check
def addwatch_like_many_watches(b):
    hits = []
    for i in range(500):
        b.zk.exists("%s/w%d" % (b.path, i), watch=lambda e: hits.append(e.path))
    other = b.client()
    for i in range(500):
        other.create("%s/w%d" % (b.path, i))
    eventually(lambda: len(set(hits)) == 500)


# Recipes


@check
def recipe_lock(b):
    first, second = b.client().Lock(b.path + "/l", "one"), b.client().Lock(b.path + "/l", "two")
    expect(first.acquire())
    expect(not second.acquire(blocking=False))
    raises(LockTimeout, second.acquire, timeout=0.3)
    expect(first.contenders() == ["one"])
    join = in_thread(second.acquire)
    eventually(lambda: first.contenders() == ["one", "two"])
    first.release()
    join()
    expect(second.is_acquired and not first.is_acquired)
    second.release()


@check
def recipe_lock_is_exclusive(b):
    inside, worst, total = [], [], []

    def work():
        client = b.client()
        for _ in range(5):
            with client.Lock(b.path + "/l"):
                inside.append(1)
                worst.append(len(inside))
                inside.pop()
                total.append(1)

    for join in [in_thread(work) for _ in range(4)]:
        join()
    expect(max(worst) == 1 and len(total) == 20)


@check
def recipe_lock_passes_on_when_its_holder_dies(b):
    holder = b.client()
    expect(holder.Lock(b.path + "/l").acquire())
    waiting = b.client().Lock(b.path + "/l")
    join = in_thread(waiting.acquire)
    eventually(lambda: len(waiting.contenders()) == 2)
    holder.stop()
    join()
    waiting.release()


@check
def recipe_lock_cancel(b):
    expect(b.zk.Lock(b.path + "/l").acquire())
    waiting = b.client().Lock(b.path + "/l")
    join = in_thread(waiting.acquire)
    eventually(lambda: len(waiting.contenders()) == 2)
    waiting.cancel()
    raises(CancelledError, join)


@check
def recipe_read_write_locks(b):
    readers = [b.client().ReadLock(b.path + "/rw") for _ in range(2)]
    writer = b.client().WriteLock(b.path + "/rw")
    expect(all(reader.acquire() for reader in readers))
    expect(not writer.acquire(blocking=False))
    join = in_thread(writer.acquire)
    for reader in readers:
        reader.release()
    join()
    expect(not b.client().ReadLock(b.path + "/rw").acquire(blocking=False))
    writer.release()


@check
def recipe_semaphore(b):
    holders = [b.client().Semaphore(b.path + "/sem", max_leases=2) for _ in range(3)]
    expect(holders[0].acquire() and holders[1].acquire())
    expect(not holders[2].acquire(blocking=False))
    expect(len(holders[0].lease_holders()) == 2)
    holders[0].release()
    expect(holders[2].acquire(timeout=WAIT))
    holders[1].release()
    holders[2].release()


@check
def recipe_election(b):
    led, stop = [], threading.Event()
    first, second = b.client().Election(b.path + "/el", "a"), b.client().Election(b.path + "/el", "b")

    def lead(name):
        led.append(name)
        stop.wait(WAIT if name == "a" else 0)

    joins = [in_thread(lambda: first.run(lead, "a"))]
    eventually(lambda: led == ["a"])
    joins.append(in_thread(lambda: second.run(lead, "b")))
    eventually(lambda: first.contenders() == ["a", "b"])
    stop.set()
    for join in joins:
        join()
    expect(led == ["a", "b"])


@check
def recipe_barrier(b):
    barrier = b.zk.Barrier(b.path + "/bar")
    barrier.create()
    expect(not barrier.wait(timeout=0.2))
    join = in_thread(lambda: expect(b.client().Barrier(b.path + "/bar").wait(timeout=WAIT)))
    barrier.remove()
    join()


@check
def recipe_double_barrier(b):
    order = []

    def member():
        barrier = b.client().DoubleBarrier(b.path + "/db", 3)
        barrier.enter()
        order.append("in")
        barrier.leave()
        order.append("out")

    joins = [in_thread(member) for _ in range(2)]
    time.sleep(0.2)
    expect(order == [])
    joins.append(in_thread(member))
    for join in joins:
        join()
    expect(order.count("in") == 3 and order.count("out") == 3)


@check
def recipe_counter(b):
    def add():
        counter = b.client().Counter(b.path + "/c")
        for _ in range(10):
            counter += 2

    for join in [in_thread(add) for _ in range(3)]:
        join()
    counter = b.zk.Counter(b.path + "/c")
    expect(counter.value == 60)
    counter -= 10
    expect(counter.pre_value == 60 and counter.post_value == 50)


@check
def recipe_counter_of_floats(b):
    counter = b.zk.Counter(b.path + "/c", default=1.5)
    counter += 1.0
    expect(counter.value == 2.5)


@check
def recipe_queue(b):
    queue = b.zk.Queue(b.path + "/q")
    for item, priority in ((b"late", 200), (b"first", 1), (b"mid", 100)):
        queue.put(item, priority)
    expect(len(queue) == 3)
    expect([queue.get() for _ in range(4)] == [b"first", b"mid", b"late", None])


@check
def recipe_locking_queue(b):
    queue, other = b.zk.LockingQueue(b.path + "/q"), b.client().LockingQueue(b.path + "/q")
    queue.put_all([b"one", b"two"])
    expect(queue.get(timeout=WAIT) == b"one" and other.get(timeout=WAIT) == b"two")
    expect(queue.consume() and other.release())
    expect(queue.get(timeout=WAIT) == b"two" and queue.consume())
    expect(len(queue) == 0 and queue.get(timeout=0.2) is None)


@check
def recipe_party(b):
    parties = [b.client().Party(b.path + "/p", str(i)) for i in range(3)]
    for party in parties:
        party.join()
    expect(sorted(parties[0]) == ["0", "1", "2"] and len(parties[0]) == 3)
    parties[1].leave()
    expect(sorted(parties[0]) == ["0", "2"])


@check
def recipe_shallow_party(b):
    parties = [b.client().ShallowParty(b.path + "/p", str(i)) for i in range(2)]
    for party in parties:
        party.join()
    expect(sorted(parties[0]) == ["0", "1"])


@check
def recipe_set_partitioner(b):
    clients = [b.client() for _ in range(2)]
    # The default identifier is host and process, which both share here.
    parts = [
        c.SetPartitioner(b.path + "/sp", set=range(6), time_boundary=0.3, identifier=str(i))
        for i, c in enumerate(clients)
    ]

    def settle(part):
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            if part.state == PartitionState.RELEASE:
                part.release_set()
            elif part.state == PartitionState.ALLOCATING:
                part.wait_for_acquire(0.2)
            elif part.acquired and len(list(part)) == 3:
                return
            time.sleep(0.02)
        raise AssertionError("no fair share")

    for join in [in_thread(lambda part=part: settle(part)) for part in parts]:
        join()
    expect(sorted(list(parts[0]) + list(parts[1])) == list(range(6)))
    for part in parts:
        part.finish()


@check
def recipe_data_watch(b):
    seen = []
    b.zk.DataWatch(b.path + "/n", lambda data, stat: seen.append(data))
    expect(seen == [None])
    for value in (b"1", b"2"):
        b.zk.create(b.path + "/n", value) if value == b"1" else b.zk.set(b.path + "/n", value)
        eventually(lambda: seen[-1] == value)
    b.zk.delete(b.path + "/n")
    eventually(lambda: seen[-1] is None)


@check
def recipe_data_watch_with_events(b):
    kinds = []
    b.zk.create(b.path + "/n", b"")
    b.zk.DataWatch(b.path + "/n", lambda data, stat, event: kinds.append(event and event.type))
    b.zk.set(b.path + "/n", b"x")
    eventually(lambda: kinds == [None, EventType.CHANGED])


@check
def recipe_children_watch(b):
    seen = []
    b.zk.ChildrenWatch(b.path, lambda children: seen.append(sorted(children)))
    b.zk.create(b.path + "/a")
    eventually(lambda: seen[-1] == ["a"])
    b.zk.create(b.path + "/b")
    eventually(lambda: seen[-1] == ["a", "b"])


@check
def recipe_patient_children_watch(b):
    result = PatientChildrenWatch(b.zk, b.path, time_boundary=0.2).start()
    b.zk.create(b.path + "/a")
    children, _ = result.get(timeout=WAIT)
    expect(children == ["a"])


@check
def recipe_tree_cache(b):
    events, cache = [], TreeCache(b.zk, b.path)
    cache.listen(lambda event: events.append(event.event_type))
    cache.start()
    eventually(lambda: TreeEvent.INITIALIZED in events)
    b.zk.create(b.path + "/a/b", b"x", makepath=True)
    eventually(lambda: (cache.get_data(b.path + "/a/b") or [None] * 3).data == b"x"
               if cache.get_data(b.path + "/a/b") else False)
    b.zk.set(b.path + "/a/b", b"y")
    eventually(lambda: cache.get_data(b.path + "/a/b").data == b"y")
    b.zk.delete(b.path + "/a", recursive=True)
    eventually(lambda: cache.get_data(b.path + "/a") is None)
    expect(TreeEvent.NODE_REMOVED in events)
    cache.close()


@check
def recipe_non_blocking_lease(b):
    from datetime import timedelta

    expect(b.zk.NonBlockingLease(b.path + "/le", timedelta(seconds=60), identifier="a"))
    expect(not b.client().NonBlockingLease(b.path + "/le", timedelta(seconds=60), identifier="b"))
    expect(b.zk.NonBlockingLease(b.path + "/le", timedelta(seconds=60), identifier="a"))


@check
def recipe_multi_non_blocking_lease(b):
    from datetime import timedelta

    def lease(name):
        return b.client().MultiNonBlockingLease(2, b.path + "/le", timedelta(seconds=60), identifier=name)

    expect(lease("a") and lease("b") and not lease("c"))


def main():
    logging.disable(logging.CRITICAL)
    hosts, only = sys.argv[1], set(sys.argv[2:])
    failed = 0
    for function in CHECKS:
        name = "kazoo." + function.__name__
        if only and function.__name__ not in only:
            continue
        try:
            bench = Bench(hosts)
            try:
                function(bench)
            finally:
                bench.close()
            print("PASS " + name, flush=True)
        except (Exception, KazooException) as error:
            failed += 1
            frames = traceback.extract_tb(error.__traceback__)
            place = ([f for f in frames if f.name not in ("expect", "join")] or frames)[-1]
            reason = "%s: %s (line %d)" % (type(error).__name__, error, place.lineno)
            print("FAIL %s %s" % (name, " ".join(reason.split())), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
