package servers;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Runs one node in this process. Arguments: HTTP_PORTS HOME DATADIR [setting=value ...]; HOME holds modules/, if any. */
public final class Server {
    public static void main(String[] args) {
        try {
            run(args);
        } catch (Throwable e) {
            e.printStackTrace();
            // A half-started node's threads would keep the process alive.
            Runtime.getRuntime().halt(1);
        }
    }

    private static void run(String[] args) throws Exception {
        Path data = Path.of(args[2]);
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("cluster.name", "test");
        settings.put("node.name", "node-0");
        settings.put("path.home", args[1]);
        settings.put("path.data", data.resolve("data").toString());
        settings.put("path.logs", data.resolve("logs").toString());
        settings.put("network.host", "127.0.0.1");
        settings.put("http.port", args[0]);
        // Writes the ports that it got to logs/http.ports and logs/transport.ports.
        settings.put("node.portsfile", "true");
        settings.put("discovery.type", "single-node");
        // A test must not depend on how full the disk is.
        settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        for (int i = 3; i < args.length; i++) {
            int equals = args[i].indexOf('=');
            if (equals < 1) throw new IllegalArgumentException("not setting=value: " + args[i]);
            settings.put(args[i].substring(0, equals), args[i].substring(equals + 1));
        }
        var node = Nodes.create(settings, data.resolve("config"));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(8, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
        }, "shutdown"));
        node.start();
        new CountDownLatch(1).await();
    }
}
