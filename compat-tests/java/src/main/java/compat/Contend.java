package compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
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

/** Contends for recipes of Curator: the counterpart of recipes/examples/contend.rs. */
public final class Contend {
    private static final String NAME = "curator";
    private static final String WITNESS = "/witness";
    private static final String READERS = "/readers";
    private static final String COUNT = "/count";

    private final CuratorFramework client;
    private int alone;
    private int beside;
    private int handed;

    private Contend(CuratorFramework client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        System.out.println("READY");
        BufferedReader input =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            Contend contend = new Contend(client);
            contend.take(words[0], words[2], Integer.parseInt(words[3]));
            System.out.println(contend.alone + " " + contend.beside + " " + contend.handed);
            System.out.println("READY");
        }
        client.close();
        System.out.println("closed");
    }

    private void take(String recipe, String path, int turns) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client, path);
        InterProcessReadWriteLock lock = new InterProcessReadWriteLock(client, path);
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, path, 1);
        for (int turn = 0; turn < turns; turn++) {
            switch (recipe) {
                case "mutex":
                    mutex.acquire();
                    alone();
                    mutex.release();
                    break;
                case "rwlock":
                    InterProcessMutex side = turn % 3 == 0 ? lock.writeLock() : lock.readLock();
                    side.acquire();
                    if (turn % 3 == 0) {
                        alone();
                    } else {
                        beside();
                    }
                    side.release();
                    break;
                case "semaphore":
                    Lease lease = semaphore.acquire();
                    alone();
                    semaphore.returnLease(lease);
                    break;
                case "election":
                    lead(path);
                    break;
                default:
                    throw new IllegalArgumentException(recipe);
            }
        }
    }

    private void alone() throws Exception {
        client.create().withMode(CreateMode.EPHEMERAL).forPath(WITNESS);
        if (!client.getChildren().forPath(READERS).isEmpty()) {
            throw new IllegalStateException("somebody reads");
        }
        String text = new String(client.getData().forPath(COUNT), StandardCharsets.UTF_8);
        String[] words = text.split(" ");
        String next = (Integer.parseInt(words[0]) + 1) + " " + NAME;
        client.setData().forPath(COUNT, next.getBytes(StandardCharsets.UTF_8));
        alone++;
        handed += words[1].equals(NAME) ? 0 : 1;
        client.delete().forPath(WITNESS);
    }

    private void beside() throws Exception {
        String own = READERS + "/" + NAME;
        client.create().withMode(CreateMode.EPHEMERAL).forPath(own);
        if (client.checkExists().forPath(WITNESS) != null) {
            throw new IllegalStateException("somebody writes");
        }
        beside++;
        client.delete().forPath(own);
    }

    private void lead(String path) throws Exception {
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
