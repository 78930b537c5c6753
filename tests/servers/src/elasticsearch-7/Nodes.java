package servers;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;

/** Elasticsearch 7: the modules lie on the class path. */
final class Nodes {
    private static final class LocalNode extends Node {
        LocalNode(Environment environment) {
            super(environment, List.of(
                org.elasticsearch.transport.Netty4Plugin.class,
                org.elasticsearch.reindex.ReindexPlugin.class,
                org.elasticsearch.index.mapper.MapperExtrasPlugin.class,
                org.elasticsearch.script.mustache.MustachePlugin.class,
                org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin.class
            ), false);
        }
    }

    static Node create(Map<String, String> settings, Path config) {
        Settings.Builder builder = Settings.builder();
        settings.forEach(builder::put);
        return new LocalNode(InternalSettingsPreparer.prepareEnvironment(builder.build(), Map.of(), config, () -> "node-0"));
    }
}
