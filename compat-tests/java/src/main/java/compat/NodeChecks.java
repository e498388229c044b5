package compat;

import static compat.Check.equal;
import static compat.Check.eventually;
import static compat.Check.that;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** Curator: nodes that keep themselves, groups, transactions and the framework itself. */
final class NodeChecks {
    private NodeChecks() {}

    static void register(Check checks, String server) {
        Curator.row(checks, server, "PersistentNode", NodeChecks::persistentNode);
        Curator.row(checks, server, "PersistentTtlNode", NodeChecks::ttlNode);
        Curator.row(checks, server, "GroupMember", NodeChecks::groupMember);
        Curator.row(checks, server, "CuratorTransaction", NodeChecks::transaction);
        Curator.row(checks, server, "CuratorTransaction.rollback", NodeChecks::rollback);
        Curator.row(checks, server, "EnsembleTracker", NodeChecks::ensembleTracker);
        Curator.row(checks, server, "framework.protection", NodeChecks::protection);
        Curator.row(checks, server, "framework.background", NodeChecks::background);
        Curator.row(checks, server, "framework.namespace", NodeChecks::namespace);
        Curator.row(checks, server, "framework.orSetData", NodeChecks::orSetData);
        Curator.row(checks, server, "framework.compression", NodeChecks::compression);
    }

    private static boolean exists(CuratorFramework client, String path) {
        try {
            return client.checkExists().forPath(path) != null;
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static void persistentNode(Curator c) throws Exception {
        try (PersistentNode node =
                new PersistentNode(c.client, CreateMode.EPHEMERAL, false, c.path + "/n", "x".getBytes())) {
            node.start();
            that(node.waitForInitialCreate(Check.WAIT, TimeUnit.MILLISECONDS), "not created");
            c.another().delete().forPath(c.path + "/n");
            eventually("not created again", () -> exists(c.client, c.path + "/n"));
            node.setData("y".getBytes());
            equal("y", new String(c.client.getData().forPath(c.path + "/n")));
        }
    }

    private static void ttlNode(Curator c) throws Exception {
        try (PersistentTtlNode node = new PersistentTtlNode(c.client, c.path + "/n", 1000, "x".getBytes())) {
            node.start();
            that(node.waitForInitialCreate(Check.WAIT, TimeUnit.MILLISECONDS), "not created");
            Thread.sleep(2500);
            that(exists(c.client, c.path + "/n"), "reaped although kept alive");
        }
        eventually("not reaped", () -> !exists(c.client, c.path + "/n"));
    }

    private static void groupMember(Curator c) throws Exception {
        try (GroupMember first = new GroupMember(c.client, c.path, "one", "1".getBytes());
                GroupMember second = new GroupMember(c.another(), c.path, "two", "2".getBytes())) {
            first.start();
            second.start();
            eventually("members are missing", () -> first.getCurrentMembers().size() == 2);
            equal("2", new String(first.getCurrentMembers().get("two")));
            second.close();
            eventually("still a member", () -> first.getCurrentMembers().size() == 1);
        }
    }

    private static void transaction(Curator c) throws Exception {
        CuratorFramework client = c.client;
        CuratorOp create = client.transactionOp().create().forPath(c.path, "1".getBytes());
        CuratorOp check = client.transactionOp().check().withVersion(0).forPath(c.path);
        CuratorOp set = client.transactionOp().setData().withVersion(0).forPath(c.path, "2".getBytes());
        List<CuratorTransactionResult> results = client.transaction().forOperations(create, check, set);
        equal(c.path, results.get(0).getResultPath());
        equal(1, results.get(2).getResultStat().getVersion());
        client.transaction().forOperations(client.transactionOp().delete().forPath(c.path));
        that(!exists(client, c.path), "still there");
    }

    private static void rollback(Curator c) throws Exception {
        CuratorOp create = c.client.transactionOp().create().forPath(c.path);
        CuratorOp delete = c.client.transactionOp().delete().forPath(c.path + "/none");
        Check.fails(KeeperException.Code.NONODE, () -> c.client.transaction().forOperations(create, delete));
        that(!exists(c.client, c.path), "not rolled back");
    }

    /** The framework's own tracker reads and watches the configuration node when it starts. */
    private static void ensembleTracker(Curator c) throws Exception {
        equal(0, c.client.getConfig().forEnsemble().length);
        that(c.client.getCurrentConfig() != null, "no current configuration");
    }

    private static void protection(Curator c) throws Exception {
        String path = c.client.create().creatingParentContainersIfNeeded().withProtection()
                .withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(c.path + "/n-", new byte[0]);
        that(path.startsWith(c.path + "/_c_") && path.endsWith("0000000000"), path);
    }

    private static void background(Curator c) throws Exception {
        java.util.concurrent.CompletableFuture<Integer> done = new java.util.concurrent.CompletableFuture<>();
        c.client.create().inBackground((client, event) -> done.complete(event.getResultCode())).forPath(c.path);
        equal(0, Curator.get(done));
    }

    private static void namespace(Curator c) throws Exception {
        CuratorFramework inner = c.client.usingNamespace(c.path.substring(1));
        inner.create().forPath("/x");
        that(exists(c.client, c.path + "/x"), "not in the namespace");
    }

    private static void orSetData(Curator c) throws Exception {
        for (int i = 0; i < 2; i++) {
            c.client.create().orSetData().forPath(c.path, Integer.toString(i).getBytes());
        }
        equal("1", new String(c.client.getData().forPath(c.path)));
    }

    private static void compression(Curator c) throws Exception {
        c.client.create().compressed().forPath(c.path, new byte[10_000]);
        equal(10_000, c.client.getData().decompressed().forPath(c.path).length);
    }
}
