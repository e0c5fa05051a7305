import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node on loopback: Run DIRECTORY PORT. It ends with SIGTERM. */
public class Run {
	public static void main(String[] arguments) throws Exception {
		OpenSearchRunner runner = new OpenSearchRunner();
		runner.onBuild((number, settings) -> {
			settings.put("http.host", "127.0.0.1");
			settings.put("http.port", arguments[1]);
			settings.put("transport.host", "127.0.0.1");
			settings.put("transport.port", "0");
			settings.put("discovery.type", "single-node");
			settings.remove("cluster.initial_cluster_manager_nodes");
			settings.remove("cluster.initial_master_nodes");
		});
		runner.build(OpenSearchRunner.newConfigs().numOfNode(1).basePath(arguments[0]).clusterName("routelens"));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> {
			try {
				runner.close();
			} catch (Exception e) {
				e.printStackTrace();
			}
		}));
		Thread.currentThread().join();
	}
}
