package compat.kafka;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What one consumer read, and what is wrong with it. */
final class Reading {
    /** Offset at which each number was first read. */
    private final Map<Long, Long> offsets = new HashMap<>();
    /** Highest offset read of each partition, and the number there. */
    private final Map<Integer, long[]> ends = new HashMap<>();

    private long duplicates;
    private long disordered;
    private long altered;

    void add(ConsumerRecord<Long, String> record) {
        long number = record.key();
        if (!record.value().equals(Ledger.text(number))) {
            altered++;
        }
        Long known = offsets.putIfAbsent(number, record.offset());
        // A group may hand out an offset again after a rebalance; the log must not hold it twice.
        if (known != null && known != record.offset()) {
            duplicates++;
        }
        long[] end = ends.computeIfAbsent(record.partition(), partition -> new long[] {-1, -1});
        if (record.offset() > end[0]) {
            if (number < end[1]) {
                disordered++;
            }
            end[0] = record.offset();
            end[1] = number;
        }
    }

    /** Whether {@code number} was read, and at {@code offset} if that is known. */
    boolean has(long number, long offset) {
        Long found = offsets.get(number);
        // A broker that meets a record again after a lost answer may have forgotten its offset.
        return found != null && (offset < 0 || found == offset);
    }

    int size() {
        return offsets.size();
    }

    long duplicates() {
        return duplicates;
    }

    long disordered() {
        return disordered;
    }

    long altered() {
        return altered;
    }
}
