package compat;

import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** A connected handle with a folder of its own and a record of its events. */
final class Client implements AutoCloseable {
    final ZooKeeper zk;
    final Events events = new Events();
    final String root;

    /** Events in order of arrival, without those about the connection. */
    static final class Events implements Watcher {
        private final BlockingQueue<String> queue = new LinkedBlockingQueue<>();
        final CountDownLatch connected = new CountDownLatch(1);
        volatile Event.KeeperState state;

        @Override
        public void process(WatchedEvent event) {
            state = event.getState();
            if (event.getType() != Event.EventType.None) {
                queue.add(event.getType() + " " + event.getPath());
            } else if (event.getState() == Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        }

        String next() throws InterruptedException {
            return queue.poll(Check.WAIT, TimeUnit.MILLISECONDS);
        }

        boolean none() {
            return queue.isEmpty();
        }
    }

    Client(String server) throws Exception {
        this(server, 10_000);
    }

    Client(String server, int timeout) throws Exception {
        zk = new ZooKeeper(server, timeout, events);
        Check.that(events.connected.await(Check.WAIT, TimeUnit.MILLISECONDS), "no connection");
        root = zk.create("/java-" + UUID.randomUUID(), new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    /** Creates an open node below the folder and returns its path. */
    String create(String name, String data, CreateMode mode) throws Exception {
        List<org.apache.zookeeper.data.ACL> acl = Ids.OPEN_ACL_UNSAFE;
        return zk.create(root + name, data.getBytes(), acl, mode);
    }

    String create(String name, String data) throws Exception {
        return create(name, data, CreateMode.PERSISTENT);
    }

    @Override
    public void close() throws InterruptedException {
        zk.close();
    }
}
