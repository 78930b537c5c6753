package servers;

import java.util.ArrayList;
import java.util.List;
import org.opensearch.plugins.Plugin;

/** The plugin classes that lie on the class path. */
final class Modules {
    /** Without their endings: in 2 they end in Plugin, in 3 in ModulePlugin. */
    private static final String[] NAMES = {
        "org.opensearch.transport.Netty4",
        "org.opensearch.index.reindex.Reindex",
        "org.opensearch.analysis.common.CommonAnalysis",
        "org.opensearch.index.mapper.MapperExtras",
        "org.opensearch.ingest.common.IngestCommon",
        "org.opensearch.painless.Painless",
        "org.opensearch.script.mustache.Mustache",
        "org.opensearch.search.aggregations.matrix.MatrixAggregation",
    };

    static List<Class<? extends Plugin>> all() {
        List<Class<? extends Plugin>> found = new ArrayList<>();
        for (String name : NAMES) {
            if (!add(found, name + "ModulePlugin") && !add(found, name + "Plugin")) {
                throw new IllegalStateException("no such module: " + name);
            }
        }
        // There only in the secure server.
        add(found, "org.opensearch.security.OpenSearchSecurityPlugin");
        return found;
    }

    private static boolean add(List<Class<? extends Plugin>> found, String name) {
        try {
            return found.add(Class.forName(name).asSubclass(Plugin.class));
        } catch (ClassNotFoundException e) {
            return false;
        }
    }
}
