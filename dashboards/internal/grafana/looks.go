package grafana

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// Look is how series are drawn whose names a regular expression matches.
type Look struct {
	Series string
	Color  string // empty: the next one of the palette
	Dashed bool   // something to compare with: no fill below it
}

// ByCode gives the classes of response codes the colours that one expects.
var ByCode = []Look{{Series: "^[01]", Color: "purple"}, {Series: "^2", Color: Green}, {Series: "^3", Color: Blue}, {Series: "^4", Color: "orange"}, {Series: "^5", Color: Red}}

func (l Look) override() dashboard.DashboardFieldConfigSourceOverrides {
	var properties []dashboard.DynamicConfigValue
	if l.Color != "" {
		properties = append(properties, property("color", map[string]string{"mode": "fixed", "fixedColor": l.Color}))
	}
	if l.Dashed {
		properties = append(properties, property("custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 8}}), property("custom.fillOpacity", 0))
	}
	return dashboard.DashboardFieldConfigSourceOverrides{
		Matcher: dashboard.MatcherConfig{Id: "byRegexp", Options: "/" + l.Series + "/"}, Properties: properties,
	}
}
