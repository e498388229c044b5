package compat;

import static compat.Check.equal;
import static compat.Check.that;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/** Curator: queues. */
final class QueueChecks {
    private QueueChecks() {}

    static void register(Check checks, String server) {
        Curator.row(checks, server, "DistributedQueue", c -> queue(c, false));
        Curator.row(checks, server, "DistributedQueue.locked", c -> queue(c, true));
        Curator.row(checks, server, "DistributedIdQueue", QueueChecks::idQueue);
        Curator.row(checks, server, "DistributedPriorityQueue", QueueChecks::priorityQueue);
        Curator.row(checks, server, "DistributedDelayQueue", QueueChecks::delayQueue);
        Curator.row(checks, server, "SimpleDistributedQueue", QueueChecks::simple);
    }

    private static final class Consumer implements QueueConsumer<String> {
        final LinkedBlockingQueue<String> taken = new LinkedBlockingQueue<>();

        @Override
        public void consumeMessage(String message) {
            taken.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {}

        List<String> take(int count) throws InterruptedException {
            List<String> items = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                items.add(taken.poll(Check.WAIT, TimeUnit.MILLISECONDS));
            }
            return items;
        }
    }

    private static final QueueSerializer<String> TEXT = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes();
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes);
        }
    };

    private static QueueBuilder<String> builder(Curator c, Consumer consumer) {
        return QueueBuilder.builder(c.client, consumer, TEXT, c.path);
    }

    private static void queue(Curator c, boolean locked) throws Exception {
        Consumer consumer = new Consumer();
        QueueBuilder<String> builder = builder(c, consumer);
        DistributedQueue<String> queue = (locked ? builder.lockPath(c.path + "-lock") : builder).buildQueue();
        queue.start();
        List<String> items = Arrays.asList("one", "two", "three", "four");
        for (String item : items) {
            queue.put(item);
        }
        List<String> taken = consumer.take(items.size());
        that(taken.containsAll(items), "taken: " + taken);
        queue.close();
    }

    private static void idQueue(Curator c) throws Exception {
        DistributedIdQueue<String> queue = builder(c, null).buildIdQueue();
        queue.start();
        queue.put("one", "first");
        queue.put("two", "second");
        queue.flushPuts(10, TimeUnit.SECONDS);
        equal(1, queue.remove("second"));
        queue.close();
        Consumer consumer = new Consumer();
        DistributedIdQueue<String> reader = builder(c, consumer).buildIdQueue();
        reader.start();
        equal(Arrays.asList("one"), consumer.take(1));
        reader.close();
    }

    private static void priorityQueue(Curator c) throws Exception {
        DistributedPriorityQueue<String> writer = builder(c, null).buildPriorityQueue(1);
        writer.start();
        writer.put("late", 30);
        writer.put("first", 10);
        writer.put("mid", 20);
        writer.flushPuts(10, TimeUnit.SECONDS);
        writer.close();
        Consumer consumer = new Consumer();
        DistributedPriorityQueue<String> reader = builder(c, consumer).buildPriorityQueue(0);
        reader.start();
        equal(Arrays.asList("first", "mid", "late"), consumer.take(3));
        reader.close();
    }

    private static void delayQueue(Curator c) throws Exception {
        Consumer consumer = new Consumer();
        DistributedDelayQueue<String> queue = builder(c, consumer).buildDelayQueue();
        queue.start();
        long now = System.currentTimeMillis();
        queue.put("second", now + 600);
        queue.put("first", now + 200);
        equal(Arrays.asList("first", "second"), consumer.take(2));
        that(System.currentTimeMillis() >= now + 600, "too early");
        queue.close();
    }

    private static void simple(Curator c) throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(c.client, c.path);
        that(queue.offer("one".getBytes()) && queue.offer("two".getBytes()), "not taken in");
        equal("one", new String(queue.peek()));
        equal("one", new String(queue.poll()));
        equal("two", new String(queue.take()));
        equal(null, queue.poll(200, TimeUnit.MILLISECONDS));
    }
}
