// Package protocols holds what the plugin writes to the schemas that its sinks' protocols publish, with
// readers that refuse whatever those do not name. Real servers are more lenient; see e2e for those.
package protocols
