package compat;

import static compat.Check.equal;
import static compat.Check.eventually;
import static compat.Check.that;
import static compat.Curator.get;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Locker;
import org.apache.curator.framework.recipes.locks.Revoker;

/** Curator: locks, barriers and elections. */
final class LockChecks {
    private static final long SHORT = 300;

    private LockChecks() {}

    static void register(Check checks, String server) {
        Curator.row(checks, server, "InterProcessMutex", LockChecks::mutex);
        Curator.row(checks, server, "InterProcessMutex.reentrant", LockChecks::reentrant);
        Curator.row(checks, server, "InterProcessMutex.contended", LockChecks::contended);
        Curator.row(checks, server, "InterProcessMutex.revocable", LockChecks::revocable);
        Curator.row(checks, server, "InterProcessSemaphoreMutex", LockChecks::semaphoreMutex);
        Curator.row(checks, server, "InterProcessReadWriteLock", LockChecks::readWrite);
        Curator.row(checks, server, "InterProcessSemaphoreV2", LockChecks::semaphore);
        Curator.row(checks, server, "InterProcessMultiLock", LockChecks::multiLock);
        Curator.row(checks, server, "Locker", LockChecks::locker);
        Curator.row(checks, server, "DistributedBarrier", LockChecks::barrier);
        Curator.row(checks, server, "DistributedDoubleBarrier", LockChecks::doubleBarrier);
        Curator.row(checks, server, "LeaderLatch", LockChecks::leaderLatch);
        Curator.row(checks, server, "LeaderSelector", LockChecks::leaderSelector);
    }

    private static void exclusive(Curator c, InterProcessLock first, InterProcessLock second) throws Exception {
        first.acquire();
        that(!get(c.aside(() -> second.acquire(SHORT, TimeUnit.MILLISECONDS))), "two holders");
        Future<Boolean> waiting = c.aside(() -> {
            boolean acquired = second.acquire(Check.WAIT, TimeUnit.MILLISECONDS);
            second.release();
            return acquired;
        });
        first.release();
        that(get(waiting), "the lock was not passed on");
    }

    private static void mutex(Curator c) throws Exception {
        exclusive(c, new InterProcessMutex(c.client, c.path), new InterProcessMutex(c.another(), c.path));
    }

    private static void reentrant(Curator c) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(c.client, c.path);
        mutex.acquire();
        mutex.acquire();
        equal(1, mutex.getParticipantNodes().size());
        mutex.release();
        that(mutex.isAcquiredInThisProcess(), "released too early");
        mutex.release();
        that(!mutex.isAcquiredInThisProcess(), "still held");
    }

    private static void contended(Curator c) throws Exception {
        AtomicInteger inside = new AtomicInteger();
        List<Future<Integer>> workers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            InterProcessMutex mutex = new InterProcessMutex(c.another(), c.path);
            workers.add(c.aside(() -> {
                int worst = 0;
                for (int round = 0; round < 10; round++) {
                    mutex.acquire();
                    worst = Math.max(worst, inside.incrementAndGet());
                    inside.decrementAndGet();
                    mutex.release();
                }
                return worst;
            }));
        }
        for (Future<Integer> worker : workers) {
            equal(1, get(worker));
        }
    }

    private static void revocable(Curator c) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(c.client, c.path);
        AtomicInteger asked = new AtomicInteger();
        mutex.makeRevocable(lock -> asked.incrementAndGet());
        mutex.acquire();
        Revoker.attemptRevoke(c.another(), mutex.getParticipantNodes().iterator().next());
        eventually("not asked to release", () -> asked.get() > 0);
        mutex.release();
    }

    private static void semaphoreMutex(Curator c) throws Exception {
        exclusive(c, new InterProcessSemaphoreMutex(c.client, c.path),
                new InterProcessSemaphoreMutex(c.another(), c.path));
    }

    private static void readWrite(Curator c) throws Exception {
        InterProcessReadWriteLock first = new InterProcessReadWriteLock(c.client, c.path);
        InterProcessReadWriteLock second = new InterProcessReadWriteLock(c.another(), c.path);
        first.readLock().acquire();
        that(get(c.aside(() -> {
            boolean acquired = second.readLock().acquire(Check.WAIT, TimeUnit.MILLISECONDS);
            second.readLock().release();
            return acquired;
        })), "two readers do not go together");
        that(!get(c.aside(() -> second.writeLock().acquire(SHORT, TimeUnit.MILLISECONDS))), "a writer beside a reader");
        first.readLock().release();
        exclusive(c, first.writeLock(), second.readLock());
    }

    private static void semaphore(Curator c) throws Exception {
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(c.client, c.path, 2);
        InterProcessSemaphoreV2 other = new InterProcessSemaphoreV2(c.another(), c.path, 2);
        Collection<Lease> leases = semaphore.acquire(2);
        equal(2, leases.size());
        equal(null, other.acquire(SHORT, TimeUnit.MILLISECONDS));
        semaphore.returnAll(leases);
        Lease lease = other.acquire(Check.WAIT, TimeUnit.MILLISECONDS);
        that(lease != null, "no lease");
        other.returnLease(lease);
    }

    private static void multiLock(Curator c) throws Exception {
        InterProcessMutex taken = new InterProcessMutex(c.another(), c.path + "/b");
        InterProcessMultiLock both = new InterProcessMultiLock(c.client, Arrays.asList(c.path + "/a", c.path + "/b"));
        taken.acquire();
        that(!get(c.aside(() -> both.acquire(SHORT, TimeUnit.MILLISECONDS))), "acquired beside another holder");
        taken.release();
        that(both.acquire(Check.WAIT, TimeUnit.MILLISECONDS), "not acquired");
        both.release();
    }

    private static void locker(Curator c) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(c.client, c.path);
        try (Locker held = new Locker(mutex, Check.WAIT, TimeUnit.MILLISECONDS)) {
            that(mutex.isAcquiredInThisProcess(), held + " holds nothing");
        }
        that(!mutex.isAcquiredInThisProcess(), "still held");
    }

    private static void barrier(Curator c) throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(c.client, c.path);
        DistributedBarrier other = new DistributedBarrier(c.another(), c.path);
        barrier.setBarrier();
        that(!other.waitOnBarrier(SHORT, TimeUnit.MILLISECONDS), "not held back");
        Future<Boolean> waiting = c.aside(() -> other.waitOnBarrier(Check.WAIT, TimeUnit.MILLISECONDS));
        barrier.removeBarrier();
        that(get(waiting), "held back for ever");
    }

    private static void doubleBarrier(Curator c) throws Exception {
        AtomicInteger entered = new AtomicInteger();
        List<Future<Boolean>> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            CuratorFramework client = c.another();
            members.add(c.aside(() -> {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, c.path, 3);
                boolean in = barrier.enter(Check.WAIT, TimeUnit.MILLISECONDS);
                entered.incrementAndGet();
                return in && barrier.leave(Check.WAIT, TimeUnit.MILLISECONDS) && entered.get() == 3;
            }));
        }
        for (Future<Boolean> member : members) {
            that(get(member), "the members did not go together");
        }
    }

    private static void leaderLatch(Curator c) throws Exception {
        LeaderLatch first = new LeaderLatch(c.client, c.path, "first");
        LeaderLatch second = new LeaderLatch(c.another(), c.path, "second");
        first.start();
        that(first.await(Check.WAIT, TimeUnit.MILLISECONDS), "no leader");
        second.start();
        eventually("the second is not seen", () -> participants(first) == 2);
        that(!second.hasLeadership(), "two leaders");
        equal("first", second.getLeader().getId());
        first.close();
        that(second.await(Check.WAIT, TimeUnit.MILLISECONDS), "no new leader");
        second.close();
    }

    private static int participants(LeaderLatch latch) {
        try {
            return latch.getParticipants().size();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static void leaderSelector(Curator c) throws Exception {
        AtomicInteger led = new AtomicInteger();
        AtomicInteger together = new AtomicInteger();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderSelector selector = new LeaderSelector(c.another(), c.path, new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) throws InterruptedException {
                    that(together.incrementAndGet() == 1, "two leaders");
                    Thread.sleep(20);
                    together.decrementAndGet();
                    led.incrementAndGet();
                }
            });
            selector.autoRequeue();
            selector.start();
            selectors.add(selector);
        }
        eventually("leadership does not go round", () -> led.get() >= 6);
        for (LeaderSelector selector : selectors) {
            selector.close();
        }
    }
}
