// Package extensions names the Go modules whose resource definitions a cluster can install, and the
// endpoint picker, so that go.mod is the one place that knows their versions.
package extensions

import (
	_ "istio.io/api/networking/v1"
	_ "sigs.k8s.io/gateway-api-inference-extension/api/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
