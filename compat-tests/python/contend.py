"""Contends for recipes of kazoo: the counterpart of recipes/examples/contend.rs."""

import sys
import uuid

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock, ReadLock, WriteLock

NAME = "kazoo"
WITNESS = "/witness"
READERS = "/readers"
COUNT = "/count"


class CuratorLock(Lock):
    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


class CuratorWriteLock(Lock):
    _NODE_NAME = "__WRIT__"
    _EXCLUDE_NAMES = ["__WRIT__", "__READ__"]


class CuratorReadLock(Lock):
    _NODE_NAME = "__READ__"
    _EXCLUDE_NAMES = ["__WRIT__"]


class CuratorSemaphore:
    """One lease, in the nodes of Curator's InterProcessSemaphoreV2: kazoo's has others."""

    def __init__(self, client, path):
        self.client = client
        self.turn = CuratorLock(client, path + "/locks")
        self.leases = path + "/leases"
        self.lease = None

    def __enter__(self):
        with self.turn:
            name = f"{self.leases}/_c_{uuid.uuid4()}-lease-"
            self.lease = self.client.create(name, ephemeral=True, sequence=True, makepath=True)
            while True:
                changed = self.client.handler.event_object()
                others = self.client.get_children(self.leases, lambda _: changed.set())
                if len(others) <= 1:
                    return self
                changed.wait()

    def __exit__(self, *_):
        self.client.delete(self.lease)


def recipe_of(client, recipe, naming, path):
    """What excludes others, and what does not if there is such a thing."""
    curator = naming == "curator"
    if recipe == "mutex" or (recipe == "election" and curator):
        return (CuratorLock if curator else Lock)(client, path, NAME), None
    if recipe == "rwlock" and curator:
        return CuratorWriteLock(client, path), CuratorReadLock(client, path)
    if recipe == "rwlock":
        return WriteLock(client, path), ReadLock(client, path)
    if recipe == "semaphore":
        return (CuratorSemaphore(client, path) if curator else client.Semaphore(path)), None
    if recipe == "election":
        return client.Election(path, NAME), None
    sys.exit(f"no recipe {recipe}")


def contend(client, recipe, naming, path, turns):
    exclusive, shared = recipe_of(client, recipe, naming, path)
    seen = {"alone": 0, "beside": 0, "handed": 0}

    def alone():
        client.create(WITNESS, b"kazoo", ephemeral=True)
        assert not client.get_children(READERS), "somebody reads"
        count, last = client.get(COUNT)[0].decode().split()
        client.set(COUNT, f"{int(count) + 1} {NAME}".encode())
        seen["alone"] += 1
        seen["handed"] += last != NAME
        client.delete(WITNESS)

    def beside():
        own = f"{READERS}/{NAME}"
        client.create(own, ephemeral=True)
        assert client.exists(WITNESS) is None, "somebody writes"
        seen["beside"] += 1
        client.delete(own)

    for turn in range(turns):
        if hasattr(exclusive, "run"):
            exclusive.run(alone)
        elif shared is not None and turn % 3 != 0:
            with shared:
                beside()
        else:
            with exclusive:
                alone()
    print(seen["alone"], seen["beside"], seen["handed"])


def main():
    client = KazooClient(sys.argv[1])
    client.start()
    print("READY", flush=True)
    for line in sys.stdin:
        recipe, naming, path, turns = line.split()
        contend(client, recipe, naming, path, int(turns))
        print("READY", flush=True)
    client.stop()
    print("closed")


main()
