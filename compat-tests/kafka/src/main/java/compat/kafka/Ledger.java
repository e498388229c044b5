package compat.kafka;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/** Every record by its number: produced, acknowledged, consumed. */
final class Ledger {
    /** Offset that each acknowledgement named. */
    private final Map<Long, Long> acknowledged = new HashMap<>();

    private final Reading consumed = new Reading();
    private long produced;
    private long failed;
    private long phaseAcknowledged;
    private long phaseGap;
    private long lastAcknowledged;
    private String stopped = "";

    /** The text of a record: consumers know what it must be. */
    static String text(long number) {
        return "record " + number + " " + "x".repeat((int) (number % 100));
    }

    synchronized void produced(long number) {
        produced = number + 1;
    }

    synchronized void answered(long number, RecordMetadata metadata, Exception error) {
        if (error != null) {
            if (failed++ == 0) {
                System.err.println("first record given up: " + number + ": " + error);
            }
            return;
        }
        acknowledged.put(number, metadata.offset());
        phaseAcknowledged++;
        long now = System.nanoTime();
        // The time until the first one is the start of the clients.
        if (acknowledged.size() > 1) {
            phaseGap = Math.max(phaseGap, now - lastAcknowledged);
        }
        lastAcknowledged = now;
    }

    synchronized void consumed(ConsumerRecord<Long, String> record) {
        consumed.add(record);
    }

    /** Notes that a thread ended early: nothing that it was to show has been shown. */
    synchronized void stopped(String who, Exception error) {
        stopped = (who + " stopped: " + error).replace(' ', '_').replace('\n', '_');
    }

    /** Acknowledged records that were not consumed yet. */
    synchronized long missing() {
        return missing(consumed);
    }

    /** A gap that spans two phases counts in both, as far as it got in the first. */
    synchronized String phase() {
        long open = acknowledged.isEmpty() ? 0 : System.nanoTime() - lastAcknowledged;
        long gap = Math.max(phaseGap, open);
        String answer = "acknowledged=" + phaseAcknowledged + " gap_ms=" + gap / 1_000_000;
        phaseAcknowledged = 0;
        phaseGap = 0;
        return answer;
    }

    synchronized String summary(Reading again) {
        return "produced=" + produced
                + " acknowledged=" + acknowledged.size()
                + " failed=" + failed
                + " consumed=" + consumed.size()
                + " missing=" + missing(consumed)
                + " lost=" + missing(again)
                + " duplicates=" + (consumed.duplicates() + again.duplicates())
                + " disordered=" + (consumed.disordered() + again.disordered())
                + " altered=" + (consumed.altered() + again.altered())
                + " stopped=" + stopped;
    }

    private long missing(Reading reading) {
        return acknowledged.entrySet().stream()
                .filter(entry -> !reading.has(entry.getKey(), entry.getValue()))
                .count();
    }
}
