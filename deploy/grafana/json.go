package main

import "strings"

// These types are the part of Grafana's dashboard JSON that the dashboards use. make
// test-grafana checks it against @grafana/schema.
type (
	object = map[string]any
	list   = []any
)

const (
	tag        = "imserver"
	runbookURL = "https://github.com/onemeter/onemeter/blob/main/deploy/RUNBOOK.md#"
	schema     = 41
	fullWidth  = 24
)

var source = object{"type": "prometheus", "uid": "${datasource}"}

var expand = strings.NewReplacer(
	"{nodes", `{job="imserver", instance=~"$instance"`,
	"[rate]", "[$__rate_interval]",
)

func (b board) dashboard() object {
	return object{
		"uid": b.uid, "title": b.title, "description": b.about, "tags": list{tag},
		"schemaVersion": schema, "editable": false, "graphTooltip": 1, "timezone": "browser",
		"refresh": "15s", "time": object{"from": "now-1h", "to": "now"},
		"templating":  object{"list": list{datasourceVariable(), instanceVariable()}},
		"annotations": object{"list": list{restarts()}},
		"links": list{object{
			"type": "dashboards", "title": "imserver", "tags": list{tag}, "asDropdown": true, "includeVars": true,
			"keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "The other dashboards",
		}},
		"panels": b.panels(),
	}
}

func datasourceVariable() object {
	return object{
		"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "hide": 0,
		"refresh": 1, "multi": false, "includeAll": false,
		"current": object{"selected": true, "text": "Prometheus", "value": "prometheus"},
	}
}

func instanceVariable() object {
	const nodes = `label_values(up{job="imserver"}, instance)`
	return object{
		"type": "query", "name": "instance", "label": "Node", "datasource": source, "hide": 0,
		"query":   object{"query": nodes, "refId": "instance"},
		"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".+",
		"current": object{"selected": true, "text": list{"All"}, "value": list{"$__all"}},
	}
}

// restarts marks the starts of nodes.
func restarts() object {
	return object{
		"name": "Starts of nodes", "datasource": source, "enable": true, "iconColor": "blue",
		"expr":        expand.Replace(`changes(process_start_time_seconds{nodes}[1m]) > 0`),
		"titleFormat": "{{instance}} started", "step": "60s",
	}
}

// panels returns the panels with their positions: a row's heading, then its panels from left to right.
func (b board) panels() list {
	var out list
	id, y := 0, 0
	for _, r := range b.rows {
		id++
		out = append(out, object{
			"type": "row", "id": id, "title": r.title, "collapsed": false, "panels": list{}, "gridPos": place(0, y, fullWidth, 1),
		})
		y++
		x := 0
		for _, p := range r.panels {
			if x+p.width > fullWidth {
				x, y = 0, y+r.height
			}
			id++
			panel := p.json()
			panel["id"], panel["gridPos"] = id, place(x, y, p.width, r.height)
			out = append(out, panel)
			x += p.width
		}
		y += r.height
	}
	return out
}

func place(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (p panel) json() object {
	out := object{
		"type": string(p.kind), "title": p.title, "description": p.about, "datasource": source,
		"targets": p.targets(), "fieldConfig": object{"defaults": p.field(), "overrides": list{}},
	}
	switch p.kind {
	case number:
		out["options"] = numberOptions()
	case chart:
		out["options"] = chartOptions()
	case table:
		out["options"] = object{"showHeader": true, "cellHeight": "sm", "frameIndex": 0}
		out["transformations"] = list{object{
			"id": "organize", "options": object{"excludeByName": object{"Time": true}},
		}}
	}
	if p.alert != "" {
		out["links"] = list{object{
			"type": "link", "title": "Runbook: " + p.alert, "url": runbookURL + strings.ToLower(p.alert), "targetBlank": true,
			"asDropdown": false, "icon": "doc", "includeVars": false, "keepTime": false, "tags": list{}, "tooltip": "What to do",
		}}
	}
	return out
}

func (p panel) targets() list {
	var out list
	for i, q := range p.queries {
		target := object{
			"refId": string(rune('A' + i)), "expr": expand.Replace(q.expr), "legendFormat": q.legend, "datasource": source,
			"editorMode": "code", "range": p.kind != table, "instant": p.kind == table, "exemplar": q.exemplars,
		}
		if p.kind == table {
			target["format"] = "table"
		}
		out = append(out, target)
	}
	return out
}

// field returns how values are drawn.
func (p panel) field() object {
	field := object{"unit": p.unit, "thresholds": p.thresholds(), "color": object{"mode": "palette-classic"}}
	if p.kind != table {
		field["min"] = 0
	}
	if p.max != nil {
		field["max"] = *p.max
	}
	switch p.kind {
	case number:
		field["color"] = object{"mode": "thresholds"}
	case chart:
		style := "off"
		if len(p.limits) > 0 {
			style = "dashed"
		}
		field["custom"] = object{
			"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false,
			"thresholdsStyle": object{"mode": style},
		}
	}
	return field
}

func (p panel) thresholds() object {
	steps := list{object{"color": "green", "value": nil}}
	for _, l := range p.limits {
		steps = append(steps, object{"color": l.colour, "value": l.from})
	}
	return object{"mode": "absolute", "steps": steps}
}

func numberOptions() object {
	return object{
		"colorMode": "background", "graphMode": "area", "justifyMode": "auto", "textMode": "auto", "wideLayout": true,
		"orientation": "auto", "showPercentChange": false, "percentChangeColorMode": "standard",
		"reduceOptions": object{"calcs": list{"lastNotNull"}, "fields": "", "values": false},
	}
}

func chartOptions() object {
	return object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": list{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}
