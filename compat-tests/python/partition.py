"""A member of kazoo's SetPartitioner: the counterpart of recipes/examples/partition.rs."""

import sys
import threading
import time

from kazoo.client import KazooClient

TIME_BOUNDARY = 0.3
POLL = 0.01


class Following:
    def __init__(self, client, identifier, path, items):
        self.client = client
        self.partitioner = client.SetPartitioner(
            path, items, identifier=identifier, time_boundary=TIME_BOUNDARY
        )
        self.held = []
        self.leaves = False
        self.failure = None
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        try:
            while not self.leaves:
                if self.partitioner.failed:
                    raise RuntimeError("the partitioner has failed")
                elif self.partitioner.release:
                    self.let_go()
                    self.partitioner.release_set()
                elif self.partitioner.acquired and not self.held:
                    self.take(list(self.partitioner))
                time.sleep(POLL)
            self.let_go()
            self.partitioner.finish()
        except Exception as failure:
            self.failure = failure

    def take(self, items):
        for item in items:
            self.client.create(f"/held/{item}", b"kazoo", ephemeral=True)
        self.held = items

    def let_go(self):
        held, self.held = self.held, []
        for item in held:
            self.client.delete(f"/held/{item}")

    def until_held(self, count):
        while len(self.held) != count:
            if self.failure:
                raise self.failure
            time.sleep(POLL)
        return self.held

    def leave(self):
        self.leaves = True
        self.thread.join()
        if self.failure:
            raise self.failure


def main():
    client = KazooClient(sys.argv[1])
    client.start()
    following = None
    print("READY", flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "join":
            identifier, path, items = words
            following = Following(client, identifier, path, items.split(","))
        elif command == "holds":
            print(",".join(following.until_held(int(words[0]))))
        elif command == "leave":
            following.leave()
        print("READY", flush=True)
    client.stop()
    print("closed")


main()
