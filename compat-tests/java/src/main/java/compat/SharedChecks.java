package compat;

import static compat.Check.equal;
import static compat.Check.eventually;
import static compat.Check.that;
import static compat.Curator.get;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicValue;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.SharedValueListener;
import org.apache.curator.framework.recipes.shared.SharedValueReader;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;

/** Curator: shared values and counters. */
final class SharedChecks {
    private static final RetryNTimes RETRY = new RetryNTimes(100, 5);

    private SharedChecks() {}

    static void register(Check checks, String server) {
        Curator.row(checks, server, "SharedCount", SharedChecks::sharedCount);
        Curator.row(checks, server, "SharedValue", SharedChecks::sharedValue);
        Curator.row(checks, server, "DistributedAtomicValue", SharedChecks::atomicValue);
        Curator.row(checks, server, "DistributedAtomicInteger", SharedChecks::atomicInteger);
        Curator.row(checks, server, "DistributedAtomicLong.contended", SharedChecks::atomicLong);
        Curator.row(checks, server, "DistributedAtomicLong.promotedToLock", SharedChecks::promoted);
        Curator.row(checks, server, "CachedAtomicInteger", SharedChecks::cachedInteger);
        Curator.row(checks, server, "CachedAtomicLong", SharedChecks::cachedLong);
    }

    private static void sharedCount(Curator c) throws Exception {
        SharedCount first = new SharedCount(c.client, c.path, 5);
        SharedCount second = new SharedCount(c.another(), c.path, 5);
        first.start();
        second.start();
        equal(5, second.getCount());
        first.setCount(7);
        eventually("the count is not seen", () -> second.getCount() == 7);
        that(second.trySetCount(second.getVersionedValue(), 8), "refused");
        eventually("the count is not seen", () -> first.getCount() == 8);
        first.close();
        second.close();
    }

    private static void sharedValue(Curator c) throws Exception {
        SharedValue first = new SharedValue(c.client, c.path, "seed".getBytes());
        SharedValue second = new SharedValue(c.another(), c.path, "seed".getBytes());
        AtomicReference<String> heard = new AtomicReference<>();
        second.getListenable().addListener(new SharedValueListener() {
            @Override
            public void valueHasChanged(SharedValueReader shared, byte[] value) {
                heard.set(new String(value));
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {}
        });
        first.start();
        second.start();
        first.setValue("new".getBytes());
        eventually("nothing heard", () -> "new".equals(heard.get()));
        first.close();
        second.close();
    }

    private static void atomicValue(Curator c) throws Exception {
        DistributedAtomicValue value = new DistributedAtomicValue(c.client, c.path, RETRY);
        that(value.initialize("a".getBytes()), "not initialised");
        AtomicValue<byte[]> set = value.compareAndSet("a".getBytes(), "b".getBytes());
        that(set.succeeded(), "compareAndSet failed");
        that(!value.compareAndSet("a".getBytes(), "c".getBytes()).succeeded(), "stale compareAndSet");
        equal("b", new String(value.get().postValue()));
    }

    private static void atomicInteger(Curator c) throws Exception {
        DistributedAtomicInteger counter = new DistributedAtomicInteger(c.client, c.path, RETRY);
        equal(1, counter.increment().postValue());
        equal(11, counter.add(10).postValue());
        equal(10, counter.decrement().postValue());
        equal(10, counter.trySet(3).preValue());
        equal(3, counter.get().postValue());
    }

    private static void atomicLong(Curator c) throws Exception {
        List<Future<Integer>> workers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DistributedAtomicLong counter = new DistributedAtomicLong(c.another(), c.path, RETRY);
            workers.add(c.aside(() -> {
                int added = 0;
                for (int round = 0; round < 20; round++) {
                    added += counter.increment().succeeded() ? 1 : 0;
                }
                return added;
            }));
        }
        long sum = 0;
        for (Future<Integer> worker : workers) {
            sum += get(worker);
        }
        equal(60L, sum);
        equal(sum, new DistributedAtomicLong(c.client, c.path, RETRY).get().postValue());
    }

    private static void promoted(Curator c) throws Exception {
        PromotedToLock lock = PromotedToLock.builder()
                .lockPath(c.path + "-lock")
                .timeout(Check.WAIT, TimeUnit.MILLISECONDS)
                .retryPolicy(RETRY)
                .build();
        DistributedAtomicLong counter = new DistributedAtomicLong(c.client, c.path, new RetryNTimes(0, 0), lock);
        that(counter.increment().succeeded(), "refused");
        equal(1L, counter.get().postValue());
    }

    private static void cachedInteger(Curator c) throws Exception {
        CachedAtomicInteger cached =
                new CachedAtomicInteger(new DistributedAtomicInteger(c.client, c.path, RETRY), 10);
        for (int i = 0; i < 25; i++) {
            equal(i + 1, cached.next().postValue());
        }
    }

    private static void cachedLong(Curator c) throws Exception {
        CachedAtomicLong cached = new CachedAtomicLong(new DistributedAtomicLong(c.client, c.path, RETRY), 10);
        for (long i = 0; i < 25; i++) {
            equal(i + 1, cached.next().postValue());
        }
    }
}
