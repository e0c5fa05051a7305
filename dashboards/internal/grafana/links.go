package grafana

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Link leads to another dashboard, in which the given variables are as they are here. The parameters are those of its URL besides.
func Link(title, uid string, keep []string, parameters ...string) dashboard.DashboardLink {
	for _, name := range keep {
		parameters = append(parameters, "${"+name+":queryparam}")
	}
	url := "/d/" + uid + "?" + strings.Join(parameters, "&")
	return dashboard.DashboardLink{Title: title, Type: dashboard.DashboardLinkTypeLink, Icon: "external link", Tags: []string{}, Url: &url}
}

// Parameters of URLs.
const (
	SameTime = "${__url_time_range}"
	// AroundThis is five minutes around the point that was clicked.
	AroundThis = "time=${__value.time}&time.window=300000"
)
