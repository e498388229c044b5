package compat;

import static compat.Check.equal;
import static compat.Check.fails;
import static compat.Check.that;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.WatcherType;

/** Each kind of watch of the Java client. */
final class WatchChecks {
    private interface Body {
        void run(Client c, Client other) throws Exception;
    }

    private WatchChecks() {}

    static void register(Check checks, String server) {
        row(checks, server, "exists", WatchChecks::exists);
        row(checks, server, "data", WatchChecks::data);
        row(checks, server, "children", WatchChecks::children);
        row(checks, server, "oneShot", WatchChecks::oneShot);
        row(checks, server, "persistent", WatchChecks::persistent);
        row(checks, server, "persistentRecursive", WatchChecks::recursive);
        row(checks, server, "remove", WatchChecks::remove);
        row(checks, server, "beforeOwnReply", WatchChecks::beforeOwnReply);
        row(checks, server, "multi", WatchChecks::multi);
        row(checks, server, "manyAtOnce", WatchChecks::many);
    }

    private static void row(Check checks, String server, String name, Body body) {
        checks.add("java.watch." + name, () -> {
            try (Client client = new Client(server); Client other = new Client(server)) {
                body.run(client, other);
            }
        });
    }

    private static void expect(Client c, String... events) throws Exception {
        List<String> seen = new ArrayList<>();
        for (int i = 0; i < events.length; i++) {
            seen.add(c.events.next());
        }
        equal(Arrays.asList(events), seen);
    }

    private static void exists(Client c, Client other) throws Exception {
        String path = c.root + "/n";
        equal(null, c.zk.exists(path, true));
        other.zk.create(path, null, org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE,
                org.apache.zookeeper.CreateMode.PERSISTENT);
        expect(c, "NodeCreated " + path);
        c.zk.exists(path, true);
        other.zk.delete(path, -1);
        expect(c, "NodeDeleted " + path);
    }

    private static void data(Client c, Client other) throws Exception {
        String path = c.create("/n", "");
        c.zk.getData(path, true, null);
        other.zk.setData(path, new byte[1], -1);
        expect(c, "NodeDataChanged " + path);
    }

    private static void children(Client c, Client other) throws Exception {
        c.zk.getChildren(c.root, true);
        c.create("/x", "");
        expect(c, "NodeChildrenChanged " + c.root);
        c.zk.getChildren(c.root, true);
        other.zk.delete(c.root + "/x", -1);
        expect(c, "NodeChildrenChanged " + c.root);
    }

    private static void oneShot(Client c, Client other) throws Exception {
        String path = c.create("/n", "");
        c.zk.getData(path, true, null);
        for (int i = 0; i < 3; i++) {
            other.zk.setData(path, new byte[i], -1);
        }
        expect(c, "NodeDataChanged " + path);
        c.zk.sync(path);
        that(c.events.none(), "a second event");
    }

    private static void persistent(Client c, Client other) throws Exception {
        String path = c.create("/n", "");
        c.zk.addWatch(path, AddWatchMode.PERSISTENT);
        other.zk.setData(path, new byte[1], -1);
        other.zk.setData(path, new byte[2], -1);
        c.create("/n/x", "");
        other.zk.delete(path + "/x", -1);
        other.zk.delete(path, -1);
        expect(c, "NodeDataChanged " + path, "NodeDataChanged " + path, "NodeChildrenChanged " + path,
                "NodeChildrenChanged " + path, "NodeDeleted " + path);
    }

    private static void recursive(Client c, Client other) throws Exception {
        c.zk.addWatch(c.root, AddWatchMode.PERSISTENT_RECURSIVE);
        c.create("/a", "");
        c.create("/a/b", "");
        other.zk.setData(c.root + "/a/b", new byte[1], -1);
        other.zk.delete(c.root + "/a/b", -1);
        expect(c, "NodeCreated " + c.root + "/a", "NodeCreated " + c.root + "/a/b",
                "NodeDataChanged " + c.root + "/a/b", "NodeDeleted " + c.root + "/a/b");
    }

    private static void remove(Client c, Client other) throws Exception {
        String path = c.create("/n", "");
        c.zk.addWatch(path, AddWatchMode.PERSISTENT);
        c.zk.getData(path, true, null);
        c.zk.removeAllWatches(path, WatcherType.Data, false);
        c.zk.removeAllWatches(path, WatcherType.Any, false);
        fails(Code.NOWATCHER, () -> c.zk.removeAllWatches(path, WatcherType.Any, false));
        fails(Code.NOWATCHER, () -> c.zk.removeWatches(path, c.events, WatcherType.Children, false));
        other.zk.setData(path, new byte[1], -1);
        c.zk.sync(path);
        List<String> left = new ArrayList<>();
        while (!c.events.none()) {
            left.add(c.events.next());
        }
        that(!left.contains("NodeDataChanged " + path), "a removed watch fired");
    }

    private static void beforeOwnReply(Client c, Client other) throws Exception {
        String path = c.create("/n", "");
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        c.zk.getData(path, event -> order.add("event"), null);
        java.util.concurrent.CountDownLatch done = new java.util.concurrent.CountDownLatch(1);
        c.zk.setData(path, new byte[1], -1, (rc, p, x, stat) -> {
            order.add("reply");
            done.countDown();
        }, null);
        that(done.await(Check.WAIT, java.util.concurrent.TimeUnit.MILLISECONDS), "no reply");
        equal(Arrays.asList("event", "reply"), order);
    }

    private static void multi(Client c, Client other) throws Exception {
        c.zk.addWatch(c.root, AddWatchMode.PERSISTENT_RECURSIVE);
        other.zk.transaction()
                .create(c.root + "/a", null, org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE,
                        org.apache.zookeeper.CreateMode.PERSISTENT)
                .setData(c.root + "/a", new byte[1], -1)
                .delete(c.root + "/a", -1)
                .commit();
        expect(c, "NodeCreated " + c.root + "/a", "NodeDataChanged " + c.root + "/a", "NodeDeleted " + c.root + "/a");
    }

    private static void many(Client c, Client other) throws Exception {
        int count = 1000;
        for (int i = 0; i < count; i++) {
            c.zk.exists(c.root + "/n" + i, true, (rc, p, x, stat) -> { }, null);
        }
        c.zk.sync(c.root);
        for (int i = 0; i < count; i++) {
            other.zk.create(c.root + "/n" + i, null, org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE,
                    org.apache.zookeeper.CreateMode.PERSISTENT, (rc, p, x, name) -> { }, null);
        }
        for (int i = 0; i < count; i++) {
            equal("NodeCreated " + c.root + "/n" + i, c.events.next());
        }
    }
}
