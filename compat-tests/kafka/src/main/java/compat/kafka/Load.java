package compat.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** A producer and a consumer that run until told to stop, and what they saw. */
final class Load {
    /** Time between two records, in milliseconds. */
    private static final long PERIOD = 5;
    /** Longest time that one poll waits, in milliseconds. */
    private static final long POLL = 100;
    /** Longest time for what is on the way to arrive, in milliseconds. */
    private static final long WAIT = 60_000;
    /** Longest time until a record is acknowledged or given up, in milliseconds. */
    private static final int DELIVERY = 120_000;

    private final String brokers;
    private final String topic;
    private final int partitions;
    private final Producer<Long, String> producer;
    private final Ledger ledger = new Ledger();
    private final Thread producing = new Thread(this::produce, "producing");
    private final Thread consuming = new Thread(this::consume, "consuming");
    private volatile boolean produceOn = true;
    private volatile boolean consumeOn = true;

    Load(String brokers, String topic, int partitions) {
        this.brokers = brokers;
        this.topic = topic;
        this.partitions = partitions;
        Properties properties = common();
        properties.put(ProducerConfig.ACKS_CONFIG, "all");
        properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, DELIVERY);
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, LongSerializer.class);
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
        producer = new KafkaProducer<>(properties);
        consuming.start();
        producing.start();
    }

    /** What was acknowledged since the last call, and the longest time without. */
    String phase() {
        return ledger.phase();
    }

    /**
     * Stops the producer, lets the consumer catch up, and reads the whole topic again: a record
     * that was consumed and then lost with its broker shows in the second reading only.
     */
    String finish() throws Exception {
        produceOn = false;
        producing.join();
        producer.flush();
        producer.close(Duration.ofMillis(WAIT));
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (ledger.missing() > 0 && System.nanoTime() < deadline) {
            Thread.sleep(POLL);
        }
        consumeOn = false;
        consuming.join();
        Reading again = new Reading();
        readAll(again);
        return ledger.summary(again);
    }

    private Properties common() {
        Properties properties = new Properties();
        properties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, brokers);
        // Brokers come back within seconds; the default would look away from them for longer.
        properties.put(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, 200);
        return properties;
    }

    private void produce() {
        try {
            for (long number = 0; produceOn; number++) {
                ledger.produced(number);
                long sent = number;
                ProducerRecord<Long, String> record =
                        new ProducerRecord<>(topic, (int) (number % partitions), number, Ledger.text(number));
                producer.send(record, (metadata, error) -> ledger.answered(sent, metadata, error));
                Thread.sleep(PERIOD);
            }
        } catch (Exception error) {
            ledger.stopped("the producer", error);
        }
    }

    private Consumer<Long, String> consumer(String group) {
        Properties properties = common();
        if (group != null) {
            properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
            properties.put(ConsumerConfig.AUTO_COMMIT_INTERVAL_MS_CONFIG, 1000);
        } else {
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        }
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, LongDeserializer.class);
        properties.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        return new KafkaConsumer<>(properties);
    }

    private void consume() {
        // A group keeps its offsets in a replicated topic of its own: that one must survive too.
        try (Consumer<Long, String> consumer = consumer("compat")) {
            consumer.subscribe(List.of(topic));
            while (consumeOn) {
                for (ConsumerRecord<Long, String> record : consumer.poll(Duration.ofMillis(POLL))) {
                    ledger.consumed(record);
                }
            }
        } catch (Exception error) {
            ledger.stopped("the consumer", error);
        }
    }

    private void readAll(Reading reading) {
        List<TopicPartition> all = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.add(new TopicPartition(topic, partition));
        }
        try (Consumer<Long, String> consumer = consumer(null)) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            var ends = consumer.endOffsets(all);
            long deadline = System.nanoTime() + WAIT * 1_000_000;
            while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("the topic could not be read again within " + WAIT + " ms");
                }
                for (ConsumerRecord<Long, String> record : consumer.poll(Duration.ofMillis(POLL))) {
                    reading.add(record);
                }
            }
        }
    }
}
