package servers;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;

/** OpenSearch 3: the node takes plugin descriptions. */
final class Nodes {
    private static final class LocalNode extends Node {
        LocalNode(Environment environment) {
            super(environment, Modules.all().stream().map(Nodes::describe).toList(), false);
        }
    }

    static Node create(Map<String, String> settings, Path config) {
        Settings.Builder builder = Settings.builder();
        settings.forEach(builder::put);
        return new LocalNode(InternalSettingsPreparer.prepareEnvironment(builder.build(), Map.of(), config, () -> "node-0"));
    }

    private static PluginInfo describe(Class<? extends Plugin> plugin) {
        String name = plugin.getName();
        return new PluginInfo(name, "on the class path", "NA", Version.CURRENT, "21", name, null, List.of(), false);
    }
}
