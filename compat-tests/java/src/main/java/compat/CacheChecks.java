package compat;

import static compat.Check.equal;
import static compat.Check.eventually;
import static compat.Check.that;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;

/** Curator: caches and watchers. */
@SuppressWarnings("deprecation")
final class CacheChecks {
    private CacheChecks() {}

    static void register(Check checks, String server) {
        Curator.row(checks, server, "PathChildrenCache", CacheChecks::pathChildren);
        Curator.row(checks, server, "NodeCache", CacheChecks::node);
        Curator.row(checks, server, "TreeCache", CacheChecks::tree);
        Curator.row(checks, server, "CuratorCache", CacheChecks::curator);
        Curator.row(checks, server, "PersistentWatcher", c -> persistent(c, false));
        Curator.row(checks, server, "PersistentWatcher.recursive", c -> persistent(c, true));
    }

    private static String text(ChildData data) {
        return data == null ? null : new String(data.getData());
    }

    private static void make(Curator c, String name, String data) throws Exception {
        c.client.create().creatingParentsIfNeeded().forPath(c.path + name, data.getBytes());
    }

    private static void pathChildren(Curator c) throws Exception {
        make(c, "/a", "1");
        try (PathChildrenCache cache = new PathChildrenCache(c.another(), c.path, true)) {
            cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            equal("1", text(cache.getCurrentData(c.path + "/a")));
            make(c, "/b", "2");
            c.client.setData().forPath(c.path + "/a", "3".getBytes());
            eventually("not seen", () -> "2".equals(text(cache.getCurrentData(c.path + "/b"))));
            eventually("not seen", () -> "3".equals(text(cache.getCurrentData(c.path + "/a"))));
            c.client.delete().forPath(c.path + "/a");
            eventually("still there", () -> cache.getCurrentData(c.path + "/a") == null);
        }
    }

    private static void node(Curator c) throws Exception {
        try (NodeCache cache = new NodeCache(c.another(), c.path)) {
            cache.start(true);
            equal(null, cache.getCurrentData());
            make(c, "", "1");
            eventually("not seen", () -> "1".equals(text(cache.getCurrentData())));
            c.client.setData().forPath(c.path, "2".getBytes());
            eventually("not seen", () -> "2".equals(text(cache.getCurrentData())));
            c.client.delete().forPath(c.path);
            eventually("still there", () -> cache.getCurrentData() == null);
        }
    }

    private static void tree(Curator c) throws Exception {
        make(c, "/a/b", "1");
        CountDownLatch ready = new CountDownLatch(1);
        try (TreeCache cache = TreeCache.newBuilder(c.another(), c.path).build()) {
            cache.getListenable().addListener((client, event) -> {
                if (event.getType() == TreeCacheEvent.Type.INITIALIZED) {
                    ready.countDown();
                }
            });
            cache.start();
            that(ready.await(Check.WAIT, TimeUnit.MILLISECONDS), "never complete");
            equal("1", text(cache.getCurrentData(c.path + "/a/b")));
            make(c, "/a/b/c", "2");
            eventually("not seen", () -> "2".equals(text(cache.getCurrentData(c.path + "/a/b/c"))));
            c.client.delete().deletingChildrenIfNeeded().forPath(c.path + "/a");
            eventually("still there", () -> cache.getCurrentData(c.path + "/a") == null);
        }
    }

    private static void curator(Curator c) throws Exception {
        make(c, "/a", "1");
        Set<String> seen = ConcurrentHashMap.newKeySet();
        try (CuratorCache cache = CuratorCache.build(c.another(), c.path)) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> seen.add("created " + node.getPath()))
                    .forChanges((old, node) -> seen.add("changed " + text(node)))
                    .forDeletes(node -> seen.add("deleted " + node.getPath()))
                    .forInitialized(() -> seen.add("ready"))
                    .build());
            cache.start();
            eventually("never complete", () -> seen.contains("ready") && seen.contains("created " + c.path + "/a"));
            // The cache reads a node after its event, so a node that is gone by then was never there.
            make(c, "/a/b", "2");
            eventually("no creation", () -> seen.contains("created " + c.path + "/a/b"));
            c.client.setData().forPath(c.path + "/a", "3".getBytes());
            eventually("no change", () -> seen.contains("changed 3"));
            c.client.delete().forPath(c.path + "/a/b");
            eventually("no deletion", () -> seen.contains("deleted " + c.path + "/a/b"));
        }
    }

    private static void persistent(Curator c, boolean recursive) throws Exception {
        make(c, "", "");
        Set<String> seen = ConcurrentHashMap.newKeySet();
        try (PersistentWatcher watcher = new PersistentWatcher(c.another(), c.path, recursive)) {
            CountDownLatch reset = new CountDownLatch(1);
            watcher.getResetListenable().addListener(reset::countDown);
            watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
            watcher.start();
            that(reset.await(Check.WAIT, TimeUnit.MILLISECONDS), "never set");
            make(c, "/a", "");
            String expected = recursive ? "NodeCreated " + c.path + "/a" : "NodeChildrenChanged " + c.path;
            eventually("no " + expected, () -> seen.contains(expected));
            c.client.setData().forPath(c.path, "x".getBytes());
            eventually("no change", () -> seen.contains("NodeDataChanged " + c.path));
        }
    }
}
