package compat.kafka;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * {@code compat.kafka.Main HOST:PORT,...}: reads a command from each line of standard input and
 * answers each with one line, {@code ok NAME=VALUE...} or {@code error REASON}. Ends with its input.
 */
public final class Main {
    private final String brokers;
    private final Topics topics;
    private Load load;

    private Main(String brokers) {
        this.brokers = brokers;
        this.topics = new Topics(brokers);
    }

    public static void main(String[] arguments) throws Exception {
        Main driver = new Main(arguments[0]);
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = ("ok " + driver.answer(line.split(" "))).trim();
            } catch (Exception error) {
                answer = "error " + line + ": " + error.toString().replace('\n', ' ');
            }
            System.out.println(answer);
            System.out.flush();
        }
        // Clients leave threads behind that must not keep this process alive.
        System.exit(0);
    }

    private String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "create":
                topics.create(words[1], Integer.parseInt(words[2]));
                return "";
            case "delete":
                topics.delete(words[1]);
                return "";
            case "in-sync":
                return "partitions=" + topics.awaitInSync();
            case "controller":
                return "controller=" + topics.controller();
            case "load":
                load = new Load(brokers, words[1], Integer.parseInt(words[2]));
                return "";
            case "phase":
                return load.phase();
            case "finish":
                return load.finish();
            default:
                throw new IllegalArgumentException("unknown command");
        }
    }
}
