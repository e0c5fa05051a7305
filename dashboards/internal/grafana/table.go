package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// Column is one of a table: what a query, or a label of it, is shown as.
type Column struct {
	Query      Query
	Title      string
	Unit       string
	Thresholds []Threshold
	Sparkline  bool // the query is over time
}

// Rows makes a table with a row for each value of a label, sorted by the n-th column.
func Rows(p Panel, label, title string, columns []Column, sortBy int) Panel {
	p.kind = "table"
	p.options = table.Options{
		ShowHeader: true, CellHeight: new(common.TableCellHeightSm),
		SortBy: []common.TableSortByFieldState{{DisplayName: columns[sortBy].Title, Desc: new(true)}},
	}
	p.custom = common.TableFieldOptions{
		Align: common.FieldTextAlignmentAuto, Inspect: false, MinWidth: new(80.0),
		CellOptions: &common.TableCellOptions{TableAutoCellOptions: common.NewTableAutoCellOptions()},
	}
	names := map[string]string{label: title}
	order := map[string]int{label: 0}
	hidden := map[string]bool{"Time": true}
	p.overrides = append(p.overrides, override(title, property("links", p.Links), property("custom.minWidth", 110)))
	p.Links = nil
	for i, c := range columns {
		q := c.Query
		q.instant, q.table = !c.Sparkline, !c.Sparkline
		p.Queries = append(p.Queries, q)
		field := "Value #" + refID(i)
		properties := []dashboard.DynamicConfigValue{property("unit", c.Unit)}
		if c.Sparkline {
			field = "Trend #" + refID(i)
			p.transformations = append(p.transformations, dashboard.DataTransformerConfig{
				Id: "timeSeriesTable", Options: map[string]any{refID(i): map[string]any{"stat": "lastNotNull"}},
				Filter: &dashboard.MatcherConfig{Id: "byRefId", Options: refID(i)},
			})
			cell := common.NewTableSparklineCellOptions()
			cell.HideValue = new(false)
			properties = append(properties, property("custom.cellOptions", cell), property("custom.minWidth", 130))
		}
		if c.Thresholds != nil {
			properties = append(properties, property("thresholds", thresholds(c.Thresholds)),
				property("color", dashboard.FieldColor{Mode: dashboard.FieldColorModeIdThresholds}), property("custom.cellOptions", common.NewTableColorTextCellOptions()))
		}
		names[field], order[field] = c.Title, i+1
		hidden["Time "+string(rune('1'+i))] = true
		p.overrides = append(p.overrides, override(c.Title, properties...))
	}
	p.transformations = append(p.transformations,
		dashboard.DataTransformerConfig{Id: "joinByField", Options: map[string]any{"byField": label, "mode": "outer"}},
		dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"renameByName": names, "indexByName": order, "excludeByName": hidden}})
	return p
}

func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

func override(column string, properties ...dashboard.DynamicConfigValue) dashboard.DashboardFieldConfigSourceOverrides {
	return dashboard.DashboardFieldConfigSourceOverrides{
		Matcher: dashboard.MatcherConfig{Id: "byName", Options: column}, Properties: properties,
	}
}
