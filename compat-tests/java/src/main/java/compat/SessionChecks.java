package compat;

import static compat.Check.equal;
import static compat.Check.that;

import java.net.Socket;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

/** Sessions: renewal, takeover, expiry, failed authentication. */
final class SessionChecks {
    private SessionChecks() {}

    static void register(Check checks, String server) {
        checks.add("java.session.closeEndsEphemerals", () -> closeEndsEphemerals(server));
        checks.add("java.session.renewedByAnotherHandle", () -> renewed(server));
        checks.add("java.session.wrongPasswordExpires", () -> refused(server, true));
        checks.add("java.session.unknownExpires", () -> refused(server, false));
        checks.add("java.session.timeoutIsNegotiated", () -> negotiated(server));
        checks.add("java.session.staysAliveByPings", () -> pings(server));
        checks.add("java.session.silentOneExpires", () -> expires(server));
        checks.add("java.session.failedAuthentication", () -> failedAuthentication(server));
        checks.add("java.session.chroot", () -> chroot(server));
        checks.add("java.session.halfOpenDoesNotHarm", () -> halfOpen(server));
    }

    private static void closeEndsEphemerals(String server) throws Exception {
        try (Client watcher = new Client(server)) {
            try (Client owner = new Client(server)) {
                String path = owner.create("/e", "", CreateMode.EPHEMERAL);
                that(watcher.zk.exists(path, true) != null, "absent");
            }
            that(watcher.events.next().startsWith("NodeDeleted"), "no event");
        }
    }

    private static void renewed(String server) throws Exception {
        Client first = new Client(server);
        first.create("/e", "", CreateMode.EPHEMERAL);
        Client.Events events = new Client.Events();
        try (ZooKeeper second =
                new ZooKeeper(server, 10_000, events, first.zk.getSessionId(), first.zk.getSessionPasswd())) {
            that(events.connected.await(Check.WAIT, TimeUnit.MILLISECONDS), "no connection");
            equal(first.zk.getSessionId(), second.getSessionId());
            equal(first.zk.getSessionId(), second.exists(first.root + "/e", false).getEphemeralOwner());
        }
    }

    private static void refused(String server, boolean known) throws Exception {
        try (Client owner = new Client(server)) {
            long id = known ? owner.zk.getSessionId() : 0x1234_5678_9abcL;
            Client.Events events = new Client.Events();
            ZooKeeper handle = new ZooKeeper(server, 10_000, events, id, new byte[16]);
            Check.eventually("not told that it expired", () -> events.state == KeeperState.Expired);
            handle.close();
        }
    }

    private static void negotiated(String server) throws Exception {
        try (Client low = new Client(server, 300); Client high = new Client(server, Integer.MAX_VALUE)) {
            equal(500, low.zk.getSessionTimeout());
            equal(600_000, high.zk.getSessionTimeout());
        }
    }

    private static void pings(String server) throws Exception {
        try (Client client = new Client(server, 1500)) {
            client.create("/e", "", CreateMode.EPHEMERAL);
            Thread.sleep(4000);
            that(client.zk.exists(client.root + "/e", false) != null, "the session did not live");
            equal(KeeperState.SyncConnected, client.events.state);
        }
    }

    /** A handle whose session is taken over by a raw connection that then falls silent. */
    private static void expires(String server) throws Exception {
        try (Client watcher = new Client(server)) {
            String path = watcher.root + "/e";
            watcher.zk.exists(path, true);
            RawSession.makeEphemeralAndFallSilent(server, path, 1000);
            equal("NodeCreated " + path, watcher.events.next());
            that(watcher.zk.exists(path, true) != null, "gone too early");
            equal("NodeDeleted " + path, watcher.events.next());
        }
    }

    private static void failedAuthentication(String server) throws Exception {
        try (Client client = new Client(server)) {
            client.zk.addAuthInfo("nope", new byte[1]);
            Check.eventually("no AuthFailed", () -> client.zk.getState() == ZooKeeper.States.AUTH_FAILED);
        }
    }

    private static void chroot(String server) throws Exception {
        try (Client outer = new Client(server)) {
            Client.Events events = new Client.Events();
            try (ZooKeeper inner = new ZooKeeper(server + outer.root, 10_000, events)) {
                that(events.connected.await(Check.WAIT, TimeUnit.MILLISECONDS), "no connection");
                that(inner.exists("/x", true) == null, "there already");
                outer.create("/x", "");
                equal("NodeCreated /x", events.next());
            }
        }
    }

    private static void halfOpen(String server) throws Exception {
        String[] parts = server.split(":");
        try (Socket silent = new Socket(parts[0], Integer.parseInt(parts[1])); Client client = new Client(server)) {
            silent.getOutputStream().write(new byte[] {0, 0});
            that(client.zk.exists(client.root, false) != null, "absent");
        }
    }
}
