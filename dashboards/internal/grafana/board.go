// Package grafana builds dashboards out of Grafana's own types, in one style.
package grafana

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Tag is on each dashboard: their links to one another go by it.
const Tag = "routelens"

const columns = 24 // of Grafana's grid

// Board is a dashboard that is filled from left to right and from top to bottom.
type Board struct {
	dashboard dashboard.Dashboard
	x, y      uint32 // of the next panel
	height    uint32 // of the panels beside it
	side      side
	panels    uint32
}

// side is a panel on the right, beside which others are placed.
type side struct{ left, bottom uint32 }

// NewBoard begins a dashboard. Its uid is part of links, and never changes.
func NewBoard(uid, title, description string) *Board {
	d := dashboard.NewDashboard()
	d.Uid, d.Title, d.Description = &uid, &title, &description
	d.Tags = []string{Tag}
	d.Timezone = new("browser")
	d.Time = &dashboard.DashboardDashboardTime{From: "now-1h", To: "now"}
	d.Refresh = new("30s")
	d.GraphTooltip = new(dashboard.DashboardCursorSyncCrosshair)
	d.Editable = new(true)
	d.Links = []dashboard.DashboardLink{{
		Title: "Routelens", Type: dashboard.DashboardLinkTypeDashboards, Icon: "dashboard", Tags: []string{Tag},
		Tooltip: "The other dashboards, with the same time and variables", IncludeVars: true, KeepTime: true,
	}}
	return &Board{dashboard: *d}
}

// Variables adds variables, in the order in which they stand on top.
func (b *Board) Variables(variables ...dashboard.VariableModel) {
	b.dashboard.Templating.List = append(b.dashboard.Templating.List, variables...)
}

// Row begins a row under a title.
func (b *Board) Row(title string) {
	b.newLine()
	b.y = max(b.y, b.side.bottom)
	b.side = side{}
	b.panels++
	b.dashboard.Panels = append(b.dashboard.Panels, dashboard.PanelOrRowPanel{RowPanel: &dashboard.RowPanel{
		Type: "row", Title: &title, Id: b.panels, GridPos: &dashboard.GridPos{W: columns, H: 1, Y: b.y}, Panels: []dashboard.Panel{},
	}})
	b.y++
}

// Add puts a panel after the last one, or below it where there is no room.
func (b *Board) Add(width, height uint32, p Panel) {
	if b.x+width > b.right() {
		b.newLine()
	}
	b.place(b.x, width, height, p)
	b.x += width
	b.height = max(b.height, height)
}

// Beside puts a panel on the right, beside those that are added next.
func (b *Board) Beside(width, height uint32, p Panel) {
	b.newLine()
	b.place(columns-width, width, height, p)
	b.side = side{columns - width, b.y + height}
}

func (b *Board) right() uint32 {
	if b.y < b.side.bottom {
		return b.side.left
	}
	return columns
}

func (b *Board) newLine() {
	b.y += b.height
	b.x, b.height = 0, 0
}

func (b *Board) place(x, width, height uint32, p Panel) {
	b.panels++
	panel := p.build()
	panel.Id = new(b.panels)
	panel.GridPos = &dashboard.GridPos{X: x, Y: b.y, W: width, H: height}
	b.dashboard.Panels = append(b.dashboard.Panels, dashboard.PanelOrRowPanel{Panel: &panel})
}

// JSON is the dashboard as Grafana imports it.
func (b *Board) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(b.dashboard, "", "  ")
	return append(out, '\n'), err
}
