package compat.kafka;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What an operator does with topics; every change goes through the controller to ZooKeeper. */
final class Topics {
    /** Copies of each partition: one for each broker. */
    static final short REPLICAS = 3;
    /** Copies that must have a record before it is acknowledged. */
    static final int IN_SYNC = 2;

    /** Longest time that a topic or a replica is awaited, in milliseconds. */
    private static final long WAIT = 60_000;
    /** Pause between two looks, in milliseconds. */
    private static final long POLL = 100;

    private final Admin admin;

    Topics(String brokers) {
        Properties properties = new Properties();
        properties.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        admin = Admin.create(properties);
    }

    /** Creates a topic and waits until all its replicas are in sync. */
    void create(String name, int partitions) throws Exception {
        NewTopic topic = new NewTopic(name, partitions, REPLICAS);
        topic.configs(Map.of("min.insync.replicas", String.valueOf(IN_SYNC)));
        try {
            get(admin.createTopics(List.of(topic)).all());
        } catch (ExecutionException error) {
            // The client asks again when an answer is lost, and then meets its own topic.
            if (!(error.getCause() instanceof TopicExistsException)) {
                throw error;
            }
        }
        awaitInSync(List.of(name));
    }

    /** Deletes a topic and waits until no broker lists it. */
    void delete(String name) throws Exception {
        try {
            get(admin.deleteTopics(List.of(name)).all());
        } catch (ExecutionException error) {
            // As above: the first try may have done it.
            if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
                throw error;
            }
        }
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (names().contains(name)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("still listed after " + WAIT + " ms");
            }
            Thread.sleep(POLL);
        }
    }

    /** Waits until all replicas of all topics, Kafka's own too, are in sync; counts partitions. */
    int awaitInSync() throws Exception {
        return awaitInSync(names());
    }

    int controller() throws Exception {
        return get(admin.describeCluster().controller()).id();
    }

    private Set<String> names() throws Exception {
        return get(admin.listTopics(new ListTopicsOptions().listInternal(true)).names());
    }

    private int awaitInSync(Collection<String> names) throws Exception {
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (true) {
            List<String> lacking = new ArrayList<>();
            int partitions = 0;
            try {
                for (TopicDescription topic : get(admin.describeTopics(names).allTopicNames()).values()) {
                    for (TopicPartitionInfo partition : topic.partitions()) {
                        partitions++;
                        if (partition.leader() == null || partition.isr().size() != REPLICAS) {
                            lacking.add(topic.name() + " " + partition);
                        }
                    }
                }
                if (lacking.isEmpty()) {
                    return partitions;
                }
            } catch (ExecutionException error) {
                // A new topic reaches one broker after the other.
                if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
                    throw error;
                }
                lacking.add(error.getCause().getMessage());
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("not in sync after " + WAIT + " ms: " + lacking);
            }
            Thread.sleep(POLL);
        }
    }

    private static <T> T get(org.apache.kafka.common.KafkaFuture<T> future) throws Exception {
        return future.get(2 * WAIT, TimeUnit.MILLISECONDS);
    }
}
