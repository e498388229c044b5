package compat;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;

/** A started client, a path that nobody else uses, and threads. */
final class Curator implements AutoCloseable {
    interface Body {
        void run(Curator c) throws Exception;
    }

    final CuratorFramework client;
    final String path = "/curator-" + UUID.randomUUID();
    private final String server;
    private final List<CuratorFramework> more = new ArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    private Curator(String server) throws Exception {
        this.server = server;
        client = another();
    }

    static void row(Check checks, String server, String name, Body body) {
        checks.add("curator." + name, () -> {
            try (Curator curator = new Curator(server)) {
                body.run(curator);
            }
        });
    }

    /** One more session. */
    CuratorFramework another() throws Exception {
        CuratorFramework started = CuratorFrameworkFactory.builder()
                .connectString(server)
                .sessionTimeoutMs(10_000)
                .connectionTimeoutMs(10_000)
                .retryPolicy(new RetryOneTime(100))
                .build();
        started.start();
        Check.that(started.blockUntilConnected((int) Check.WAIT, TimeUnit.MILLISECONDS), "no connection");
        more.add(started);
        return started;
    }

    <T> Future<T> aside(Callable<T> task) {
        return threads.submit(task);
    }

    static <T> T get(Future<T> future) throws Exception {
        return future.get(Check.WAIT, TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() {
        threads.shutdownNow();
        for (CuratorFramework started : more) {
            started.close();
        }
    }
}
