package compat;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.ErrorMode;
import org.apache.curator.framework.recipes.queue.MultiItem;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** Puts, takes and joins by Curator: the counterpart of recipes/examples/exchange.rs. */
public final class Exchange {
    private static final long LIMIT_MS = 60_000;
    private static final long TTL_MS = 1_000;

    private final CuratorFramework client;
    private Holder holder;
    private QueueBase<String> held;
    private Closeable joined;

    private Exchange(CuratorFramework client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        System.out.println("READY");
        BufferedReader input =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Exchange exchange = new Exchange(client);
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            for (String told : exchange.obey(line.split(" "))) {
                System.out.println(told);
            }
            System.out.println("READY");
        }
        client.close();
        System.out.println("closed");
    }

    private List<String> obey(String[] words) throws Exception {
        switch (words[0]) {
            case "put":
                put(words[1], words[2], words[3], words[4]);
                return List.of();
            case "take":
                return taken(words[1], words[2], Integer.parseInt(words[3]));
            case "drain":
                return taken(words[1], words[2], Integer.MAX_VALUE);
            case "hold":
                holder = new Holder();
                held = queue(words[1], builder(words[2], holder).executor(holder), words[2]);
                held.start();
                return List.of(holder.first());
            case "consume":
            case "requeue":
                holder.end(words[0].equals("requeue"));
                held.close();
                return List.of();
            case "remove":
                DistributedIdQueue<String> ids = builder(words[1], null).buildIdQueue();
                ids.start();
                int removed = ids.remove(words[2]);
                ids.close();
                return List.of(Integer.toString(removed));
            case "join":
                joined = join(words[1], words[2], words[3]);
                return List.of();
            case "leave":
                joined.close();
                return List.of();
            case "members":
                return members(words[2]);
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private QueueBuilder<String> builder(String path, QueueConsumer<String> consumer) {
        return QueueBuilder.builder(client, consumer, TEXT, path).putInBackground(false);
    }

    private QueueBase<String> queue(String kind, QueueBuilder<String> builder, String path) {
        switch (kind) {
            case "fifo":
                return builder.buildQueue();
            case "fifo-locked":
                DistributedQueue<String> queue = builder.lockPath(path + "-locks").buildQueue();
                queue.setErrorMode(ErrorMode.REQUEUE);
                return queue;
            case "priority":
                return builder.buildPriorityQueue(0);
            case "delay":
                return builder.buildDelayQueue();
            case "id":
                return builder.buildIdQueue();
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private void put(String kind, String path, String key, String items) throws Exception {
        if (kind.equals("simple")) {
            new SimpleDistributedQueue(client, path).offer(items.getBytes(StandardCharsets.UTF_8));
            return;
        }
        Iterator<String> several = Arrays.asList(items.split("\\+")).iterator();
        MultiItem<String> all = () -> several.hasNext() ? several.next() : null;
        QueueBase<String> queue = queue(kind, builder(path, null), path);
        queue.start();
        if (queue instanceof DistributedQueue) {
            ((DistributedQueue<String>) queue).putMulti(all);
        } else if (queue instanceof DistributedPriorityQueue) {
            ((DistributedPriorityQueue<String>) queue).putMulti(all, Integer.parseInt(key));
        } else if (queue instanceof DistributedDelayQueue) {
            long from = key.startsWith("+") ? System.currentTimeMillis() : 0;
            ((DistributedDelayQueue<String>) queue).putMulti(all, from + Long.parseLong(key));
        } else {
            ((DistributedIdQueue<String>) queue).put(items, key);
        }
        queue.close();
    }

    /** So many; or fewer, if nothing is left. */
    private List<String> taken(String kind, String path, int count) throws Exception {
        long end = System.currentTimeMillis() + LIMIT_MS;
        List<String> taken = Collections.synchronizedList(new ArrayList<>());
        boolean simple = kind.equals("simple");
        SimpleDistributedQueue first = new SimpleDistributedQueue(client, path);
        Taker taker = new Taker(taken);
        QueueBase<String> queue =
                simple ? null : queue(kind, builder(path, taker).executor(taker), path);
        if (queue != null) {
            queue.start();
        }
        while (taken.size() < count && !(count == Integer.MAX_VALUE && isEmpty(path))) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("no more than " + taken);
            }
            byte[] data = simple ? first.poll() : null;
            if (data != null) {
                taken.add(new String(data, StandardCharsets.UTF_8));
            } else {
                Thread.sleep(5);
            }
        }
        if (queue != null) {
            // Without a lock path an entry is removed before it is given to the consumer, with one
            // afterwards; and a queue that is closed is interrupted in whatever it does.
            while (taker.isBusy()) {
                Thread.sleep(5);
            }
            queue.close();
        }
        taker.end();
        return taken;
    }

    private boolean isEmpty(String path) throws Exception {
        try {
            return client.getChildren().forPath(path).isEmpty();
        } catch (KeeperException.NoNodeException none) {
            return true;
        }
    }

    private Closeable join(String kind, String path, String id) throws Exception {
        byte[] data = id.getBytes(StandardCharsets.UTF_8);
        switch (kind) {
            case "group":
                GroupMember member = new GroupMember(client, path, id, data);
                member.start();
                while (client.checkExists().forPath(path + "/" + id) == null) {
                    Thread.sleep(5);
                }
                return member;
            case "node":
                return kept(new PersistentNode(client, CreateMode.EPHEMERAL, false, path, data));
            case "sequential":
                CreateMode mode = CreateMode.EPHEMERAL_SEQUENTIAL;
                return kept(new PersistentNode(client, mode, true, path, data));
            case "ttl":
                PersistentTtlNode ttl = new PersistentTtlNode(client, path, TTL_MS, data);
                ttl.start();
                if (!ttl.waitForInitialCreate(LIMIT_MS, TimeUnit.MILLISECONDS)) {
                    throw new IllegalStateException("no node");
                }
                return ttl;
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static PersistentNode kept(PersistentNode node) throws Exception {
        node.start();
        if (!node.waitForInitialCreate(LIMIT_MS, TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException("no node");
        }
        return node;
    }

    /** One that does not keep the program from ending. */
    private static Thread thread(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    }

    private List<String> members(String path) throws Exception {
        GroupMember looks = new GroupMember(client, path, "curator-looks", new byte[0]);
        looks.start();
        List<String> members = new ArrayList<>();
        long end = System.currentTimeMillis() + LIMIT_MS;
        // Its copy of the group is not there at once.
        while (members.size() + 1 < client.getChildren().forPath(path).size()) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("no more than " + members);
            }
            Thread.sleep(20);
            members.clear();
            for (Map.Entry<String, byte[]> entry : looks.getCurrentMembers().entrySet()) {
                if (!entry.getKey().equals("curator-looks")) {
                    String payload = new String(entry.getValue(), StandardCharsets.UTF_8);
                    members.add(entry.getKey() + "=" + payload);
                }
            }
        }
        looks.close();
        Collections.sort(members);
        return members;
    }

    /** Notes what it is given. Is its queue's executor too, to know when nothing is under way. */
    private static final class Taker implements Executor, QueueConsumer<String> {
        private final List<String> taken;
        private final ExecutorService worker = Executors.newSingleThreadExecutor(Exchange::thread);
        private final AtomicInteger underWay = new AtomicInteger();

        Taker(List<String> taken) {
            this.taken = taken;
        }

        @Override
        public void execute(Runnable item) {
            underWay.incrementAndGet();
            worker.execute(
                    () -> {
                        try {
                            item.run();
                        } finally {
                            underWay.decrementAndGet();
                        }
                    });
        }

        @Override
        public void consumeMessage(String item) {
            taken.add(item);
        }

        boolean isBusy() {
            return underWay.get() > 0;
        }

        void end() {
            worker.shutdown();
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {}
    }

    /**
     * Works on the first item until it is told what has come of it. Is its queue's executor too,
     * and drops the other items: a queue that is closed is interrupted in whatever it does, and
     * what it locked just then stays locked for as long as its session.
     */
    private static final class Holder implements Executor, QueueConsumer<String> {
        private final LinkedBlockingQueue<String> items = new LinkedBlockingQueue<>();
        private final CountDownLatch ended = new CountDownLatch(1);
        private volatile Thread worker;
        private volatile boolean fails;

        @Override
        public void execute(Runnable item) {
            if (worker == null) {
                worker = thread(item);
                worker.start();
            }
        }

        @Override
        public void consumeMessage(String item) throws Exception {
            items.add(item);
            ended.await();
            if (fails) {
                throw new IllegalStateException("to be put back");
            }
        }

        String first() throws InterruptedException {
            String first = items.poll(LIMIT_MS, TimeUnit.MILLISECONDS);
            if (first == null) {
                throw new IllegalStateException("nothing to hold");
            }
            return first;
        }

        /** Returns when what the item has come to is written. */
        void end(boolean fails) throws InterruptedException {
            this.fails = fails;
            ended.countDown();
            worker.join();
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {}
    }

    private static final QueueSerializer<String> TEXT = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    };
}
