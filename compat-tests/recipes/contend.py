"""Contends for one recipe of kazoo: the counterpart of recipes/examples/contend.rs."""

import sys

from kazoo.client import KazooClient
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock, ReadLock, WriteLock

WITNESS = "/witness"


class CuratorLock(Lock):
    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


class CuratorWriteLock(Lock):
    _NODE_NAME = "__WRIT__"
    _EXCLUDE_NAMES = ["__WRIT__", "__READ__"]


class CuratorReadLock(Lock):
    _NODE_NAME = "__READ__"
    _EXCLUDE_NAMES = ["__WRIT__"]


def recipe_of(client, recipe, naming, path):
    curator = naming == "curator"
    if recipe == "mutex" or (recipe == "election" and curator):
        return (CuratorLock if curator else Lock)(client, path, "kazoo")
    if recipe == "write":
        return (CuratorWriteLock if curator else WriteLock)(client, path)
    if recipe == "read":
        return (CuratorReadLock if curator else ReadLock)(client, path)
    if recipe == "semaphore" and not curator:
        return client.Semaphore(path, max_leases=1)
    if recipe == "election":
        return Election(client, path, "kazoo")
    sys.exit(f"no {recipe} with the names of {naming}")


def main():
    connect, recipe, naming, path, turns = sys.argv[1:]
    client = KazooClient(connect)
    client.start()
    contended = recipe_of(client, recipe, naming, path)

    def alone():
        client.create(WITNESS, b"kazoo", ephemeral=True)
        client.delete(WITNESS)

    def look():
        assert client.exists(WITNESS) is None, "somebody writes"

    inside = look if recipe == "read" else alone
    for _ in range(int(turns)):
        if isinstance(contended, Election):
            contended.run(inside)
        else:
            with contended:
                inside()
    client.stop()
    print(f"{turns} turns")


main()
