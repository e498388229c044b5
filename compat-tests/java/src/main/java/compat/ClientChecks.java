package compat;

import static compat.Check.equal;
import static compat.Check.fails;
import static compat.Check.that;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Transaction;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Calls of the Java client that do not depend on sessions or watches. */
final class ClientChecks {
    private interface Body {
        void run(Client c) throws Exception;
    }

    private ClientChecks() {}

    static void register(Check checks, String server) {
        row(checks, server, "create.modes", ClientChecks::createModes);
        row(checks, server, "create.stat", ClientChecks::createStat);
        row(checks, server, "create.errors", ClientChecks::createErrors);
        row(checks, server, "create.containerIsReaped", ClientChecks::containerIsReaped);
        row(checks, server, "create.ttlIsReaped", ClientChecks::ttlIsReaped);
        row(checks, server, "data.versions", ClientChecks::dataVersions);
        row(checks, server, "data.nullAndEmpty", ClientChecks::nullAndEmpty);
        row(checks, server, "delete.rules", ClientChecks::deleteRules);
        row(checks, server, "children.all", ClientChecks::children);
        row(checks, server, "ephemerals.list", ClientChecks::ephemerals);
        row(checks, server, "sync", ClientChecks::sync);
        row(checks, server, "multi.success", ClientChecks::multiSuccess);
        row(checks, server, "multi.failure", ClientChecks::multiFailure);
        row(checks, server, "multi.read", ClientChecks::multiRead);
        row(checks, server, "multi.transaction", ClientChecks::transaction);
        row(checks, server, "async.everyCall", ClientChecks::async);
        row(checks, server, "async.order", ClientChecks::asyncOrder);
        row(checks, server, "acl.digest", c -> aclDigest(c, server));
        row(checks, server, "acl.invalid", ClientChecks::aclInvalid);
        row(checks, server, "acl.masked", c -> aclMasked(c, server));
        row(checks, server, "acl.versions", ClientChecks::aclVersions);
        row(checks, server, "whoAmI", ClientChecks::whoAmI);
        row(checks, server, "config", ClientChecks::config);
        row(checks, server, "quota", c -> quota(c, server));
        row(checks, server, "deleteRecursive", ClientChecks::deleteRecursive);
        row(checks, server, "largeData", ClientChecks::largeData);
    }

    private static void row(Check checks, String server, String name, Body body) {
        checks.add("java." + name, () -> {
            try (Client client = new Client(server)) {
                body.run(client);
            }
        });
    }

    private static void createModes(Client c) throws Exception {
        equal(c.root + "/p", c.create("/p", ""));
        equal(c.root + "/s0000000001", c.create("/s", "", CreateMode.PERSISTENT_SEQUENTIAL));
        equal(c.root + "/e", c.create("/e", "", CreateMode.EPHEMERAL));
        equal(c.root + "/es0000000003", c.create("/es", "", CreateMode.EPHEMERAL_SEQUENTIAL));
        equal(c.root + "/c", c.create("/c", "", CreateMode.CONTAINER));
        Stat stat = new Stat();
        List<ACL> open = Ids.OPEN_ACL_UNSAFE;
        byte[] none = new byte[0];
        equal(c.root + "/t", c.zk.create(c.root + "/t", none, open, CreateMode.PERSISTENT_WITH_TTL, stat, 60_000));
        equal(0L, stat.getEphemeralOwner());
        CreateMode sequential = CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL;
        equal(c.root + "/ts0000000006", c.zk.create(c.root + "/ts", none, open, sequential, stat, 60_000));
        equal(c.zk.getSessionId(), c.zk.exists(c.root + "/e", false).getEphemeralOwner());
        equal(0L, c.zk.exists(c.root + "/c", false).getEphemeralOwner());
        fails(Code.NOCHILDRENFOREPHEMERALS, () -> c.create("/e/x", ""));
    }

    private static void createStat(Client c) throws Exception {
        Stat stat = new Stat();
        c.zk.create(c.root + "/n", "abc".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        equal(3, stat.getDataLength());
        equal(stat.getCzxid(), stat.getMzxid());
        equal(stat.getCzxid(), stat.getPzxid());
        equal(stat.getCtime(), stat.getMtime());
        equal(stat, c.zk.exists(c.root + "/n", false));
    }

    private static void createErrors(Client c) throws Exception {
        c.create("/n", "");
        fails(Code.NODEEXISTS, () -> c.create("/n", ""));
        fails(Code.NONODE, () -> c.create("/no/parent", ""));
        fails(Code.NODEEXISTS, () -> c.zk.create("/zookeeper", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        fails(Code.BADARGUMENTS, () -> c.zk.delete("/zookeeper/quota", -1));
    }

    private static void containerIsReaped(Client c) throws Exception {
        c.create("/c", "", CreateMode.CONTAINER);
        c.create("/c/x", "");
        c.zk.delete(c.root + "/c/x", -1);
        Check.eventually("the container stays", () -> absent(c, "/c"));
    }

    private static void ttlIsReaped(Client c) throws Exception {
        byte[] none = new byte[0];
        c.zk.create(c.root + "/t", none, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, 500);
        Check.eventually("the TTL node stays", () -> absent(c, "/t"));
    }

    private static boolean absent(Client c, String name) {
        try {
            return c.zk.exists(c.root + name, false) == null;
        } catch (KeeperException | InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    private static void dataVersions(Client c) throws Exception {
        String path = c.create("/n", "0");
        equal(1, c.zk.setData(path, "1".getBytes(), 0).getVersion());
        equal(2, c.zk.setData(path, "2".getBytes(), -1).getVersion());
        fails(Code.BADVERSION, () -> c.zk.setData(path, "3".getBytes(), 1));
        fails(Code.NONODE, () -> c.zk.setData(path + "x", null, -1));
        Stat stat = new Stat();
        equal("2", new String(c.zk.getData(path, false, stat)));
        that(stat.getMzxid() > stat.getCzxid() && stat.getMtime() >= stat.getCtime(), "times and zxids");
    }

    private static void nullAndEmpty(Client c) throws Exception {
        c.zk.create(c.root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        c.create("/empty", "");
        equal(null, c.zk.getData(c.root + "/null", false, null));
        equal(0, c.zk.getData(c.root + "/empty", false, null).length);
    }

    private static void deleteRules(Client c) throws Exception {
        String path = c.create("/n", "");
        c.create("/n/x", "");
        fails(Code.NOTEMPTY, () -> c.zk.delete(path, -1));
        fails(Code.BADVERSION, () -> c.zk.delete(path, 7));
        c.zk.delete(path + "/x", 0);
        c.zk.delete(path, -1);
        fails(Code.NONODE, () -> c.zk.delete(path, -1));
    }

    private static void children(Client c) throws Exception {
        for (String name : Arrays.asList("/a", "/b", "/a/x", "/a/y")) {
            c.create(name, "");
        }
        List<String> names = c.zk.getChildren(c.root, false);
        Collections.sort(names);
        equal(Arrays.asList("a", "b"), names);
        Stat stat = new Stat();
        equal(2, c.zk.getChildren(c.root, false, stat).size());
        equal(2, stat.getNumChildren());
        equal(2, stat.getCversion());
        equal(4, c.zk.getAllChildrenNumber(c.root));
        fails(Code.NONODE, () -> c.zk.getChildren(c.root + "/none", false));
    }

    private static void ephemerals(Client c) throws Exception {
        c.create("/e1", "", CreateMode.EPHEMERAL);
        c.create("/e2", "", CreateMode.EPHEMERAL);
        List<String> all = c.zk.getEphemerals();
        Collections.sort(all);
        equal(Arrays.asList(c.root + "/e1", c.root + "/e2"), all);
        equal(1, c.zk.getEphemerals(c.root + "/e1").size());
    }

    private static void sync(Client c) throws Exception {
        c.zk.sync(c.root);
    }

    private static void multiSuccess(Client c) throws Exception {
        List<ACL> open = Ids.OPEN_ACL_UNSAFE;
        String path = c.root + "/m";
        List<OpResult> results = c.zk.multi(Arrays.asList(
                Op.create(path, "0".getBytes(), open, CreateMode.PERSISTENT),
                Op.setData(path, "1".getBytes(), 0),
                Op.check(path, 1),
                Op.create(path + "/c", new byte[0], open, CreateMode.CONTAINER),
                Op.create(path + "/t", new byte[0], open, CreateMode.PERSISTENT_WITH_TTL, 60_000),
                Op.delete(path + "/c", -1)));
        equal(path, ((OpResult.CreateResult) results.get(0)).getPath());
        equal(1, ((OpResult.SetDataResult) results.get(1)).getStat().getVersion());
        that(results.get(2) instanceof OpResult.CheckResult, "check result");
        that(results.get(5) instanceof OpResult.DeleteResult, "delete result");
        equal(Collections.singletonList("t"), c.zk.getChildren(path, false));
    }

    private static void multiFailure(Client c) throws Exception {
        List<Op> ops = Arrays.asList(
                Op.create(c.root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete(c.root + "/none", -1),
                Op.check(c.root, -1));
        try {
            c.zk.multi(ops);
            throw new AssertionError("the multi succeeded");
        } catch (KeeperException.NoNodeException error) {
            List<Integer> codes = error.getResults().stream()
                    .map(result -> ((OpResult.ErrorResult) result).getErr())
                    .collect(Collectors.toList());
            equal(Arrays.asList(0, Code.NONODE.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()), codes);
        }
        equal(null, c.zk.exists(c.root + "/a", false));
    }

    private static void multiRead(Client c) throws Exception {
        c.create("/a", "data");
        List<OpResult> results = c.zk.multi(
                Arrays.asList(Op.getData(c.root + "/a"), Op.getChildren(c.root), Op.getData(c.root + "/none")));
        equal("data", new String(((OpResult.GetDataResult) results.get(0)).getData()));
        equal(Collections.singletonList("a"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
        equal(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
    }

    private static void transaction(Client c) throws Exception {
        Transaction transaction = c.zk.transaction();
        transaction.create(c.root + "/a", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        transaction.setData(c.root + "/a", "x".getBytes(), 0).check(c.root, -1);
        equal(3, transaction.commit().size());
    }

    private static void async(Client c) throws Exception {
        List<ACL> open = Ids.OPEN_ACL_UNSAFE;
        CountDownLatch done = new CountDownLatch(12);
        StringBuffer failures = new StringBuffer();
        String path = c.root + "/n";
        c.zk.create(path, new byte[1], open, CreateMode.PERSISTENT, (rc, p, x, n) -> count(rc, "create", done, failures), null);
        c.zk.create(path + "/2", new byte[1], open, CreateMode.PERSISTENT,
                (rc, p, x, n, stat) -> count(rc, "create2", done, failures), null);
        c.zk.exists(path, false, (rc, p, x, stat) -> count(rc, "exists", done, failures), null);
        c.zk.getData(path, false, (rc, p, x, data, stat) -> count(rc, "getData", done, failures), null);
        c.zk.setData(path, new byte[2], 0, (rc, p, x, stat) -> count(rc, "setData", done, failures), null);
        c.zk.getChildren(path, false, (rc, p, x, names) -> count(rc, "getChildren", done, failures), null);
        c.zk.getChildren(path, false, (rc, p, x, names, stat) -> count(rc, "getChildren2", done, failures), null);
        c.zk.getACL(path, new Stat(), (rc, p, x, acl, stat) -> count(rc, "getACL", done, failures), null);
        c.zk.setACL(path, open, 0, (rc, p, x, stat) -> count(rc, "setACL", done, failures), null);
        c.zk.sync(path, (rc, p, x) -> count(rc, "sync", done, failures), null);
        c.zk.multi(Collections.singletonList(Op.delete(path + "/2", -1)),
                (rc, p, x, results) -> count(rc, "multi", done, failures), null);
        c.zk.delete(path, 1, (rc, p, x) -> count(rc, "delete", done, failures), null);
        that(done.await(Check.WAIT, TimeUnit.MILLISECONDS), "not every callback came");
        equal("", failures.toString());
    }

    private static void count(int rc, String call, CountDownLatch done, StringBuffer failures) {
        if (rc != 0) {
            failures.append(call).append(' ').append(rc).append(' ');
        }
        done.countDown();
    }

    private static void asyncOrder(Client c) throws Exception {
        int writes = 2000;
        String path = c.create("/n", "");
        CompletableFuture<Integer> last = new CompletableFuture<>();
        int[] expected = {1};
        for (int i = 1; i <= writes; i++) {
            c.zk.setData(path, Integer.toString(i).getBytes(), -1, (rc, p, x, stat) -> {
                if (rc != 0 || stat.getVersion() != expected[0]++) {
                    last.completeExceptionally(new AssertionError("version " + stat + " code " + rc));
                } else if (stat.getVersion() == writes) {
                    last.complete(stat.getVersion());
                }
            }, null);
        }
        equal(writes, last.get(Check.WAIT, TimeUnit.MILLISECONDS));
    }

    private static void aclDigest(Client c, String server) throws Exception {
        c.zk.addAuthInfo("digest", "bob:pw".getBytes());
        c.zk.create(c.root + "/n", "s".getBytes(), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        ACL acl = c.zk.getACL(c.root + "/n", new Stat()).get(0);
        equal(new ACL(Perms.ALL, new Id("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=")), acl);
        try (Client other = new Client(server)) {
            fails(Code.NOAUTH, () -> other.zk.getData(c.root + "/n", false, null));
            fails(Code.NOAUTH, () -> other.zk.setACL(c.root + "/n", Ids.OPEN_ACL_UNSAFE, -1));
            other.zk.addAuthInfo("digest", "bob:pw".getBytes());
            equal("s", new String(other.zk.getData(c.root + "/n", false, null)));
        }
    }

    private static void aclInvalid(Client c) throws Exception {
        List<List<ACL>> invalid = Arrays.asList(
                Ids.CREATOR_ALL_ACL,
                Collections.emptyList(),
                Collections.singletonList(new ACL(Perms.ALL, new Id("world", "other"))),
                Collections.singletonList(new ACL(Perms.ALL, new Id("ip", "1.2.3"))),
                Collections.singletonList(new ACL(Perms.ALL, new Id("nope", "x"))));
        for (List<ACL> acl : invalid) {
            fails(Code.INVALIDACL, () -> c.zk.create(c.root + "/n", null, acl, CreateMode.PERSISTENT));
        }
    }

    private static void aclMasked(Client c, String server) throws Exception {
        c.zk.addAuthInfo("digest", "bob:pw".getBytes());
        List<ACL> acl = Arrays.asList(
                new ACL(Perms.ALL, new Id("auth", "")), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        c.zk.create(c.root + "/n", null, acl, CreateMode.PERSISTENT);
        try (Client other = new Client(server)) {
            equal("bob:x", other.zk.getACL(c.root + "/n", null).get(0).getId().getId());
        }
    }

    private static void aclVersions(Client c) throws Exception {
        String path = c.create("/n", "");
        equal(1, c.zk.setACL(path, Ids.OPEN_ACL_UNSAFE, 0).getAversion());
        fails(Code.BADVERSION, () -> c.zk.setACL(path, Ids.OPEN_ACL_UNSAFE, 0));
        equal(0, c.zk.exists(path, false).getVersion());
    }

    private static void whoAmI(Client c) throws Exception {
        c.zk.addAuthInfo("digest", "al:x".getBytes());
        List<String> identities = c.zk.whoAmI().stream()
                .map(info -> info.getAuthScheme() + ":" + info.getUser())
                .sorted()
                .collect(Collectors.toList());
        equal(Arrays.asList("digest:al", "ip:127.0.0.1"), identities);
    }

    private static void config(Client c) throws Exception {
        equal(0, c.zk.getConfig(false, new Stat()).length);
    }

    private static void quota(Client c, String server) throws Exception {
        try (Client admin = new Client(server)) {
            String base = "/zookeeper/quota" + c.root;
            List<ACL> open = Ids.OPEN_ACL_UNSAFE;
            admin.zk.create(base, null, open, CreateMode.PERSISTENT);
            byte[] limits = "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2".getBytes();
            admin.zk.create(base + "/zookeeper_limits", limits, open, CreateMode.PERSISTENT);
            admin.zk.create(base + "/zookeeper_stats", "count=0,bytes=0".getBytes(), open, CreateMode.PERSISTENT);
            c.create("/one", "12345");
            fails(Code.QUOTAEXCEEDED, () -> c.create("/two", ""));
            byte[] stats = admin.zk.getData(base + "/zookeeper_stats", false, null);
            equal("count=2,bytes=5", new String(stats, StandardCharsets.UTF_8));
        }
    }

    private static void deleteRecursive(Client c) throws Exception {
        for (String name : Arrays.asList("/a", "/a/b", "/a/b/c", "/a/d")) {
            c.create(name, "");
        }
        that(ZKUtil.deleteRecursive(c.zk, c.root + "/a", 10), "not everything was deleted");
        equal(null, c.zk.exists(c.root + "/a", false));
    }

    private static void largeData(Client c) throws Exception {
        byte[] data = new byte[1_000_000];
        Arrays.fill(data, (byte) 7);
        c.zk.create(c.root + "/big", data, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        that(Arrays.equals(data, c.zk.getData(c.root + "/big", false, null)), "data differs");
    }
}
