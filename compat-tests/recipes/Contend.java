import java.util.concurrent.CountDownLatch;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;

/** Contends for one recipe of Curator: the counterpart of recipes/examples/contend.rs. */
public final class Contend {
    private static final String WITNESS = "/witness";

    private static CuratorFramework client;

    public static void main(String[] arguments) throws Exception {
        String recipe = arguments[1];
        String path = arguments[3];
        int turns = Integer.parseInt(arguments[4]);
        client = CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100));
        client.start();
        InterProcessMutex mutex = new InterProcessMutex(client, path);
        InterProcessReadWriteLock lock = new InterProcessReadWriteLock(client, path);
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, path, 1);
        for (int turn = 0; turn < turns; turn++) {
            switch (recipe) {
                case "mutex" -> {
                    mutex.acquire();
                    alone();
                    mutex.release();
                }
                case "write" -> {
                    lock.writeLock().acquire();
                    alone();
                    lock.writeLock().release();
                }
                case "read" -> {
                    lock.readLock().acquire();
                    if (client.checkExists().forPath(WITNESS) != null) {
                        throw new IllegalStateException("somebody writes");
                    }
                    lock.readLock().release();
                }
                case "semaphore" -> {
                    Lease lease = semaphore.acquire();
                    alone();
                    semaphore.returnLease(lease);
                }
                case "election" -> lead(path);
                default -> throw new IllegalArgumentException(recipe);
            }
        }
        client.close();
        System.out.println(turns + " turns");
    }

    private static void alone() throws Exception {
        client.create().withMode(CreateMode.EPHEMERAL).forPath(WITNESS);
        client.delete().forPath(WITNESS);
    }

    private static void lead(String path) throws Exception {
        CountDownLatch led = new CountDownLatch(1);
        Exception[] failure = new Exception[1];
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework unused) {
                try {
                    alone();
                } catch (Exception error) {
                    failure[0] = error;
                }
                led.countDown();
            }
        });
        selector.start();
        led.await();
        selector.close();
        if (failure[0] != null) {
            throw failure[0];
        }
    }
}
