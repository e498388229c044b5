package compat;

/** {@code compat.Main HOST:PORT [PART-OF-A-NAME]}: one line per check, exit code 1 if any failed. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Check checks = new Check();
        String server = arguments[0];
        ClientChecks.register(checks, server);
        SessionChecks.register(checks, server);
        WatchChecks.register(checks, server);
        LockChecks.register(checks, server);
        SharedChecks.register(checks, server);
        CacheChecks.register(checks, server);
        NodeChecks.register(checks, server);
        QueueChecks.register(checks, server);
        int failed = checks.run(arguments.length > 1 ? arguments[1] : "");
        System.exit(failed == 0 ? 0 : 1);
    }
}
