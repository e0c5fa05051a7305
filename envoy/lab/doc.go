// Package lab starts and stops the real parts that the demo, the end-to-end tests and the benchmark
// stand on: Envoy, a log store, a shop of services behind Envoy, traffic with counts of its own, and a
// proxy that makes the store fail.
//
//	shop, _ := lab.OpenShop()
//	defer shop.Close()
//	store, _ := lab.StartVictoriaLogs(ctx, lab.StoreOptions{Binary: "victoria-logs", Dir: dir})
//	defer store.Stop()
//	envoy, _ := lab.StartEnvoy(ctx, lab.EnvoyOptions{Binary: "envoy", Dir: dir, Config: config.Options{
//		Plugin: &config.Plugin{File: "routelens.wasm", Config: lab.SinkConfig},
//		Routes: shop.Routes(), Clusters: shop.Clusters(), Sink: store.Cluster(),
//	}})
//	defer envoy.Stop()
//	report, _ := lab.Load{Entry: envoy.Entry, Mix: lab.ShopMix(), Total: 1000}.Run(ctx)
//	stats, _ := envoy.Quiet(ctx, report.Sent, time.Minute) // stats.Exchanges() is to equal report.Counts
//	seen, _ := store.RequestIDs(ctx, report.Filter())
//
// Every process dies with the one that started it, and every wait ends in an error that says what it
// waited for and what it saw last.
package lab
