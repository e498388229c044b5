package compat;

import static compat.Check.equal;
import static compat.Check.that;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Apache's client and Curator through leader kills: {@code compat.Failover HOST:PORT,HOST:PORT,...}.
 * Prints {@code READY}, waits for a line per kill, checks, prints a line per check and
 * {@code READY} again; at the end of its input a summary.
 */
public final class Failover {
    /** A fail-over takes longer than anything else in these checks, in milliseconds. */
    private static final long WAIT = 60_000;

    private static final int SESSION = 60_000;

    private final String path = "/java-failover-" + UUID.randomUUID();
    private final AtomicInteger disconnected = new AtomicInteger();
    private final AtomicInteger suspended = new AtomicInteger();
    private final AtomicInteger lost = new AtomicInteger();
    private final BlockingQueue<String> oneShot = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> persistent = new LinkedBlockingQueue<>();
    private final ZooKeeper zk;
    private final long session;
    private final CuratorFramework first;
    private final CuratorFramework second;
    private final List<Long> curatorSessions = new ArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private InterProcessSemaphoreMutex held;
    private InterProcessSemaphoreMutex wanted;
    private Future<?> waiting;
    private final List<LeaderLatch> latches = new ArrayList<>();
    private final CuratorCache cache;

    private interface Body {
        void run(int kill) throws Exception;
    }

    /** An idempotent call, repeated over losses of the connection. */
    private interface Call<T> {
        T run() throws Exception;
    }

    private Failover(String hosts) throws Exception {
        zk = new ZooKeeper(hosts, SESSION, this::connection);
        first = curator(hosts);
        second = curator(hosts);
        retry(() -> zk.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        zk.create(path + "/data", "0".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(path + "/ephemeral", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        session = zk.getSessionId();
        zk.getData(path + "/data", event(oneShot), null);
        zk.addWatch(path + "/data", event(persistent), AddWatchMode.PERSISTENT);
        held = new InterProcessSemaphoreMutex(first, path + "/lock");
        wanted = new InterProcessSemaphoreMutex(second, path + "/lock");
        held.acquire();
        queue();
        for (CuratorFramework client : List.of(first, second)) {
            curatorSessions.add(client.getZookeeperClient().getZooKeeper().getSessionId());
            LeaderLatch latch = new LeaderLatch(client, path + "/latch");
            latch.start();
            latches.add(latch);
        }
        cache = CuratorCache.build(first, path + "/data");
        cache.start();
        eventually("no leader of the latch", () -> leaders() == 1);
    }

    private CuratorFramework curator(String hosts) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(hosts)
                .sessionTimeoutMs(SESSION)
                .connectionTimeoutMs((int) WAIT)
                .retryPolicy(new RetryForever(100))
                .build();
        client.getConnectionStateListenable().addListener((c, state) -> {
            if (state == ConnectionState.SUSPENDED) {
                suspended.incrementAndGet();
            } else if (state == ConnectionState.LOST) {
                lost.incrementAndGet();
            }
        });
        client.start();
        that(client.blockUntilConnected((int) WAIT, TimeUnit.MILLISECONDS), "no connection");
        return client;
    }

    private void connection(WatchedEvent event) {
        if (event.getState() == Watcher.Event.KeeperState.Disconnected) {
            disconnected.incrementAndGet();
        } else if (event.getState() == Watcher.Event.KeeperState.Expired) {
            lost.incrementAndGet();
        }
    }

    /** Events about nodes; those about the connection come to every watcher too. */
    private static Watcher event(BlockingQueue<String> queue) {
        return event -> {
            if (event.getType() != Watcher.Event.EventType.None) {
                queue.add(event.getType() + " " + event.getPath());
            }
        };
    }

    private static <T> T retry(Call<T> call) throws Exception {
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (true) {
            try {
                return call.run();
            } catch (KeeperException.ConnectionLossException error) {
                that(System.nanoTime() < deadline, "no connection again");
                Thread.sleep(50);
            }
        }
    }

    private static void eventually(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (!condition.getAsBoolean()) {
            that(System.nanoTime() < deadline, what);
            Thread.sleep(10);
        }
    }

    private void queue() {
        InterProcessSemaphoreMutex mutex = wanted;
        waiting = threads.submit(() -> {
            mutex.acquire();
            return null;
        });
    }

    private long leaders() {
        return latches.stream().filter(LeaderLatch::hasLeadership).count();
    }

    private void sessions(int kill) throws Exception {
        Stat stat = retry(() -> zk.exists(path + "/ephemeral", false));
        that(stat != null && stat.getEphemeralOwner() == session, "the ephemeral node is gone");
        equal(session, zk.getSessionId());
        equal(curatorSessions.get(0), first.getZookeeperClient().getZooKeeper().getSessionId());
        equal(curatorSessions.get(1), second.getZookeeperClient().getZooKeeper().getSessionId());
        equal(0, lost.get());
    }

    private void watches(int kill) throws Exception {
        String changed = "NodeDataChanged " + path + "/data";
        byte[] value = String.valueOf(kill).getBytes();
        second.setData().forPath(path + "/data", value);
        equal(changed, oneShot.poll(WAIT, TimeUnit.MILLISECONDS));
        equal(changed, persistent.poll(WAIT, TimeUnit.MILLISECONDS));
        eventually("the cache does not see the change", () -> cache.get(path + "/data")
                .filter(data -> new String(data.getData()).equals(String.valueOf(kill)))
                .isPresent());
        retry(() -> zk.getData(path + "/data", event(oneShot), null));
        that(oneShot.isEmpty(), "more events than changes");
    }

    private void locks(int kill) throws Exception {
        that(!waiting.isDone(), "two holders of the lock");
        that(held.isAcquiredInThisProcess(), "the lock is gone");
        held.release();
        waiting.get(WAIT, TimeUnit.MILLISECONDS);
        InterProcessSemaphoreMutex released = held;
        held = wanted;
        wanted = released;
        queue();
        Thread.sleep(100);
        that(!waiting.isDone(), "two holders of the lock after it was passed on");
    }

    private void latches(int kill) throws Exception {
        eventually("not one leader of the latch", () -> leaders() == 1);
    }

    private static int check(String name, int kill, Body body) {
        try {
            body.run(kill);
            System.out.println("PASS java kill " + kill + ": " + name);
            return 0;
        } catch (Throwable error) {
            System.out.println("FAIL java kill " + kill + ": " + name + ": " + error.toString().replace('\n', ' '));
            return 1;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Failover scene = new Failover(arguments[0]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        int failed = 0;
        int kill = 0;
        System.out.println("READY");
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            kill = Integer.parseInt(line.split(" ")[1]);
            failed += check("sessions", kill, scene::sessions);
            failed += check("watches", kill, scene::watches);
            failed += check("Curator's lock", kill, scene::locks);
            failed += check("Curator's leader latch", kill, scene::latches);
            System.out.println("READY");
        }
        System.out.println("PASS java: " + kill + " kills, 3 sessions, disconnected " + scene.disconnected
                + " times, Curator's connections suspended " + scene.suspended + " times");
        System.out.flush();
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }
}
