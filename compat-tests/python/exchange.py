"""Puts, takes and joins by kazoo: the counterpart of recipes/examples/exchange.rs."""

import sys
import time

from kazoo.client import KazooClient

LIMIT = 60


class Exchange:
    def __init__(self, client):
        self.client = client
        self.held = None
        self.joined = None

    def queue(self, kind, path):
        return {"queue": self.client.Queue, "locking": self.client.LockingQueue}[kind](path)

    def put(self, kind, path, key, items):
        queue = self.queue(kind, path)
        if kind == "locking":
            queue.put_all([item.encode() for item in items.split("+")], int(key))
        else:
            queue.put(items.encode(), int(key))
        return []

    def next(self, kind, queue):
        """The next one, if there is one now."""
        if kind == "queue":
            return queue.get()
        data = queue.get(0.05)
        if data is not None:
            assert queue.consume(), "it is held"
        return data

    def take(self, kind, path, count):
        return self.until(kind, path, lambda taken, _: len(taken) == int(count))

    def drain(self, kind, path):
        return self.until(kind, path, lambda _, queue: len(queue) == 0)

    def until(self, kind, path, is_over):
        queue, taken = self.queue(kind, path), []
        end = time.monotonic() + LIMIT
        while not is_over(taken, queue):
            assert time.monotonic() < end, f"no more than {taken}"
            data = self.next(kind, queue)
            if data is None:
                time.sleep(0.005)
            else:
                taken.append(data.decode())
        return taken

    def hold(self, kind, path):
        self.held = self.queue(kind, path)
        return [self.held.get(LIMIT).decode()]

    def consume(self):
        assert self.held.consume(), "it is held"
        return []

    def requeue(self):
        assert self.held.release(), "it is held"
        return []

    def party(self, kind, path, identifier=None):
        parties = {"party": self.client.Party, "shallow": self.client.ShallowParty}
        return parties[kind](path, identifier)

    def join(self, kind, path, identifier):
        self.joined = self.party(kind, path, identifier)
        self.joined.join()
        return []

    def leave(self):
        assert self.joined.leave(), "it was there"
        return []

    def members(self, kind, path):
        return sorted(self.party(kind, path))


def main():
    client = KazooClient(sys.argv[1])
    client.start()
    exchange = Exchange(client)
    print("READY", flush=True)
    for line in sys.stdin:
        verb, *words = line.split()
        for told in getattr(exchange, verb)(*words):
            print(told)
        print("READY", flush=True)
    client.stop()
    print("closed", flush=True)


main()
