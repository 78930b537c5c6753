package servers;

import java.nio.file.Path;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

/** OpenSearch 2: the node takes plugin classes. */
final class Nodes {
    private static final class LocalNode extends Node {
        LocalNode(Environment environment) {
            super(environment, Modules.all(), false);
        }
    }

    static Node create(Map<String, String> settings, Path config) {
        Settings.Builder builder = Settings.builder();
        settings.forEach(builder::put);
        return new LocalNode(InternalSettingsPreparer.prepareEnvironment(builder.build(), Map.of(), config, () -> "node-0"));
    }
}
