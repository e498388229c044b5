package compat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

/** Registers and finds services: the counterpart of recipes/examples/discover.rs. */
public final class Discovery {
    private static final String WEB = "web";
    private static final String KINDS = "kinds";
    private static final long REGISTERED = 1_700_000_000_000L;

    private final ServiceDiscovery<Details> services;
    private final ServiceDiscovery<Object> kinds;
    private final ServiceCache<Details> cache;
    private final ServiceProvider<Details> provider;
    private final Map<String, ServiceInstance<Details>> own = new HashMap<>();
    private final List<ServiceInstance<Object>> ownKinds = new ArrayList<>();

    /** What there is to say of an instance. */
    public static final class Details {
        public int weight;
        public String zone;

        public Details() {}

        private Details(int weight, String zone) {
            this.weight = weight;
            this.zone = zone;
        }
    }

    private Discovery(CuratorFramework client) throws Exception {
        services = discovery(client, Details.class, "/services", new JsonInstanceSerializer<>(Details.class));
        // With `enabled`, which is not written by default.
        kinds = discovery(client, Object.class, "/payloads", new JsonInstanceSerializer<>(Object.class, false));
        cache = services.serviceCacheBuilder().name(WEB).build();
        cache.start();
        provider = services.serviceProviderBuilder().serviceName(WEB).build();
        provider.start();
    }

    private static <T> ServiceDiscovery<T> discovery(
            CuratorFramework client, Class<T> payload, String path, JsonInstanceSerializer<T> serializer)
            throws Exception {
        ServiceDiscovery<T> discovery = ServiceDiscoveryBuilder.builder(payload)
                .client(client)
                .basePath(path)
                .serializer(serializer)
                .build();
        discovery.start();
        return discovery;
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100));
        client.start();
        Discovery discovery = new Discovery(client);
        System.out.println("READY");
        BufferedReader input =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            discovery.take(line.split(" "));
            System.out.println("READY");
        }
        discovery.services.close();
        discovery.kinds.close();
        client.close();
        System.out.println("closed");
    }

    private void take(String[] words) throws Exception {
        switch (words[0]) {
            case "register":
                register(words[1]);
                break;
            case "update":
                update(words[1], words[2]);
                break;
            case "unregister":
                services.unregisterService(own.remove(words[1]));
                break;
            case "list":
                list(services.queryForInstances(WEB));
                break;
            case "cached":
                cached(Integer.parseInt(words[1]));
                break;
            case "picks":
                picks(Integer.parseInt(words[1]));
                break;
            case "names":
                System.out.println(String.join(",", services.queryForNames()));
                break;
            case "kinds":
                registerKinds(words[1]);
                break;
            case "show":
                show();
                break;
            case "drop":
                for (ServiceInstance<Object> instance : ownKinds) {
                    kinds.unregisterService(instance);
                }
                break;
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static <T> ServiceInstanceBuilder<T> instance(String name, String id, T payload) throws Exception {
        return ServiceInstance.<T>builder()
                .name(name)
                .id(id)
                .address("10.0.0.1")
                .payload(payload)
                .registrationTimeUTC(REGISTERED);
    }

    private void register(String id) throws Exception {
        ServiceInstance<Details> instance = instance(WEB, id, new Details(7, "north"))
                .port(80)
                .sslPort(443)
                .uriSpec(new UriSpec("{scheme}://{address}:{ssl-port}/{id}"))
                .build();
        services.registerService(instance);
        own.put(id, instance);
    }

    private void update(String id, String zone) throws Exception {
        ServiceInstance<Details> instance =
                instance(WEB, id, new Details(8, zone)).port(81).enabled(false).build();
        services.updateService(instance);
        own.put(id, instance);
    }

    private static String text(Object value) {
        return value == null ? "-" : value.toString();
    }

    private static void list(Collection<ServiceInstance<Details>> instances) {
        Map<String, String> lines = new TreeMap<>();
        for (ServiceInstance<Details> instance : instances) {
            Details details = instance.getPayload();
            String uri = instance.getUriSpec() == null ? "-" : instance.buildUriSpec();
            lines.put(
                    instance.getId(),
                    String.join(
                            " ",
                            instance.getId(),
                            text(instance.getAddress()),
                            text(instance.getPort()),
                            text(instance.getSslPort()),
                            details.weight + details.zone,
                            text(instance.getRegistrationTimeUTC()),
                            uri,
                            text(instance.getServiceType()),
                            text(instance.isEnabled())));
        }
        lines.values().forEach(System.out::println);
    }

    private void cached(int count) throws Exception {
        while (cache.getInstances().size() != count) {
            Thread.sleep(10);
        }
        list(cache.getInstances());
    }

    private void picks(int count) throws Exception {
        Map<String, Integer> picked = new TreeMap<>();
        while (provider.getAllInstances().size() != count) {
            Thread.sleep(10);
        }
        for (int pick = 0; pick < 3 * count; pick++) {
            picked.merge(provider.getInstance().getId(), 1, Integer::sum);
        }
        System.out.println(picked);
    }

    private void registerKinds(String prefix) throws Exception {
        Map<String, Object> payloads = new LinkedHashMap<>();
        payloads.put("text", "hello");
        payloads.put("truth", true);
        payloads.put("int", 7);
        payloads.put("long", 1L << 40);
        payloads.put("fraction", 1.5);
        payloads.put("map", new HashMap<>(Map.of("a", "b")));
        payloads.put("list", new ArrayList<>(Arrays.asList("x", "y")));
        payloads.put("nothing", null);
        for (Map.Entry<String, Object> payload : payloads.entrySet()) {
            String id = payload.getKey() + "-" + prefix;
            ServiceInstance<Object> instance = instance(KINDS, id, payload.getValue()).build();
            kinds.registerService(instance);
            ownKinds.add(instance);
        }
    }

    private void show() throws Exception {
        Map<String, String> lines = new TreeMap<>();
        for (ServiceInstance<Object> instance : kinds.queryForInstances(KINDS)) {
            String payload = new ObjectMapper().writeValueAsString(instance.getPayload());
            lines.put(instance.getId(), instance.getId() + " " + payload);
        }
        lines.values().forEach(System.out::println);
    }
}
