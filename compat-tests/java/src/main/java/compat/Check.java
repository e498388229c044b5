package compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.apache.zookeeper.KeeperException;

/** A table of named checks and the few assertions they need. */
final class Check {
    /** Longest time anything is awaited, in milliseconds. */
    static final long WAIT = 15_000;

    interface Body {
        void run() throws Exception;
    }

    private static final class Row {
        final String name;
        final Body body;

        Row(String name, Body body) {
            this.name = name;
            this.body = body;
        }
    }

    private final List<Row> rows = new ArrayList<>();

    void add(String name, Body body) {
        rows.add(new Row(name, body));
    }

    /** Runs the rows whose name contains {@code only}; returns the number of failures. */
    int run(String only) {
        int failed = 0;
        for (Row row : rows) {
            if (!row.name.contains(only)) {
                continue;
            }
            try {
                row.body.run();
                System.out.println("PASS " + row.name);
            } catch (Throwable error) {
                failed++;
                System.out.println("FAIL " + row.name + " " + describe(error));
            }
            System.out.flush();
        }
        return failed;
    }

    private static String describe(Throwable error) {
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getClassName().startsWith("compat.") && !frame.getClassName().equals("compat.Check")) {
                return (error + " (" + frame.getFileName() + ":" + frame.getLineNumber() + ")").replace('\n', ' ');
            }
        }
        return error.toString().replace('\n', ' ');
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual) {
        that(Objects.equals(expected, actual), "expected " + expected + ", got " + actual);
    }

    static void fails(KeeperException.Code code, Body body) throws Exception {
        try {
            body.run();
        } catch (KeeperException error) {
            equal(code, error.code());
            return;
        }
        throw new AssertionError(code + " expected");
    }

    static void eventually(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + WAIT * 1_000_000;
        while (!condition.getAsBoolean()) {
            that(System.nanoTime() < deadline, what);
            Thread.sleep(10);
        }
    }
}
