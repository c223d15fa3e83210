package main

var runtime = board{
	uid: "im-runtime", title: "IM 5: Runtime and telemetry", about: "What the processes use, and whether the metrics can be trusted.",
	rows: []row{
		{title: "Processes", height: 7, panels: []panel{
			{
				title: "CPU", kind: chart, width: 6, unit: "short", about: "Cores in use, by node, and the most that Go uses.",
				queries: []query{
					{expr: `rate(process_cpu_seconds_total{nodes}[rate])`, legend: "{{instance}}"},
					{expr: `max(go_processor_limit{nodes})`, legend: "limit"},
				},
			},
			{
				title: "Memory", kind: chart, width: 6, unit: "bytes", about: "Resident, by node.",
				queries: []query{{expr: `process_resident_memory_bytes{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Heap", kind: chart, width: 6, unit: "bytes", about: "Heap size at which the next garbage collection starts, and memory used by Go, by kind; all nodes.",
				queries: []query{
					{expr: `sum(go_memory_gc_goal_bytes{nodes})`, legend: "goal"},
					{expr: `sum by (go_memory_type) (go_memory_used_bytes{nodes})`, legend: "{{go_memory_type}}"},
				},
			},
			{
				title: "Allocated", kind: chart, width: 6, unit: "binBps", about: "Bytes per second, by node: work for the garbage collector.",
				queries: []query{{expr: `rate(go_memory_allocated_bytes_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Goroutines", kind: chart, width: 6, unit: "short", alert: "IMFileDescriptors", about: "They follow the connections. If they only grow, something leaks.",
				queries: []query{{expr: `go_goroutine_count{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Files and sockets", kind: chart, width: 6, unit: "short", alert: "IMFileDescriptors", about: "Open, by node.",
				queries: []query{{expr: `process_open_fds{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Network", kind: chart, width: 6, unit: "binBps", about: "Bytes in the network namespaces of the processes, as the kernel counts them.",
				queries: []query{
					{expr: `sum(rate(process_network_receive_bytes_total{nodes}[rate]))`, legend: "in"},
					{expr: `sum(rate(process_network_transmit_bytes_total{nodes}[rate]))`, legend: "out"},
				},
			},
			{
				title: "Panics", kind: number, width: 6, unit: "none", alert: "IMHandlerPanics", limits: from(1), about: "Handlers that panicked since the nodes started.",
				queries: []query{{expr: `sum(im_http_panics_total{nodes})`, legend: "panics"}},
			},
			{
				title: "Nodes", kind: table, width: 24, unit: "dateTimeFromNow", alert: "IMNodeRestarts", about: "When they started, and their version.",
				queries: []query{{
					expr: `1000 * process_start_time_seconds{nodes} * on (job, instance) group_left (service_version) ` +
						`target_info{nodes}`,
					legend: "{{instance}}",
				}},
			},
		}},
		{title: "Scrapes", height: 7, panels: []panel{
			{
				title: "Scrape time", kind: chart, width: 6, unit: "s", alert: "IMScrapeSlow", limits: from(5), about: "Prometheus gives up after ten seconds.",
				queries: []query{{expr: `scrape_duration_seconds{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Samples", kind: chart, width: 6, unit: "short", alert: "IMTelemetryOverflow", about: "Samples in one scrape of a node.",
				queries: []query{{expr: `scrape_samples_scraped{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "New series", kind: chart, width: 6, unit: "short", alert: "IMTelemetryOverflow", about: "Series that a scrape added. Many at each scrape mean a label whose values never repeat.",
				queries: []query{{expr: `scrape_series_added{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Biggest families", kind: table, width: 6, unit: "short", alert: "IMTelemetryOverflow", about: "By series, of all nodes.",
				queries: []query{{expr: `topk(10, count by (__name__) ({nodes}))`, legend: "{{__name__}}"}},
			},
		}},
		{title: "Telemetry", height: 7, panels: []panel{
			{
				title: "Conflicts", kind: number, width: 4, unit: "none", alert: "IMTelemetryConflict", limits: from(1), about: "Definitions that disagree; /debug/telemetry of a node shows which.",
				queries: []query{{expr: `sum(telemetry_conflicts_total{nodes, reason!="Cardinality"})`, legend: "conflicts"}},
			},
			{
				title: "Metrics near the limit", kind: number, width: 4, unit: "none", alert: "IMTelemetryOverflow", limits: from(1), about: "Metrics with at least 80 % of the series that they may have.",
				queries: []query{{expr: `sum(telemetry_conflicts_total{nodes, reason="Cardinality"})`, legend: "metrics"}},
			},
			{
				title: "Conflicts by reason", kind: chart, width: 8, unit: "none", alert: "IMTelemetryConflict", about: "Since the nodes started.",
				queries: []query{{expr: `sum by (reason) (telemetry_conflicts_total{nodes})`, legend: "{{reason}}"}},
			},
			{
				title: "Scrape errors", kind: chart, width: 8, unit: "ops", alert: "IMTelemetryScrapeErrors", about: "After an error, a scrape lacks some metrics. callback: a callback failed, panicked or timed out.",
				queries: []query{
					{expr: `sum by (reason) (rate(telemetry_scrape_errors_total{nodes}[rate]))`, legend: "{{reason}}"},
					{expr: `sum(rate(telemetry_callback_errors_total{nodes}[rate]))`, legend: "callback"},
				},
			},
			{
				title: "Pushes", kind: chart, width: 12, unit: "ops", alert: "IMTelemetryPushFails", about: "Over OTLP, by signal; empty if nothing is pushed.",
				queries: []query{{expr: `sum by (signal) (rate(telemetry_exports_total{nodes}[rate]))`, legend: "{{signal}}"}},
			},
			{
				title: "Failed pushes", kind: chart, width: 12, unit: "ops", alert: "IMTelemetryPushFails", about: "By reason.",
				queries: []query{{expr: `sum by (signal, reason) (rate(telemetry_export_errors_total{nodes}[rate]))`, legend: "{{signal}}: {{reason}}"}},
			},
		}},
		{title: "Alerts and rules", height: 7, panels: []panel{
			{
				title: "Alerts", kind: chart, width: 12, unit: "none", about: "Firing or pending; 0 if there are none.",
				queries: []query{{expr: `count by (alertname, alertstate) (ALERTS) or vector(0)`, legend: "{{alertname}} {{alertstate}}"}},
			},
			{
				title: "Failed rules", kind: number, width: 6, unit: "none", alert: "MonitoringRulesFail", limits: from(1), about: "Failed evaluations in the last hour.",
				queries: []query{{expr: `sum(increase(prometheus_rule_evaluation_failures_total[1h]))`, legend: "failures"}},
			},
			{
				title: "Alerts not sent", kind: number, width: 6, unit: "none", alert: "MonitoringAlertsNotSent", limits: from(1), about: "Alerts that Alertmanager did not get, in the last hour.",
				queries: []query{{expr: `sum(increase(prometheus_notifications_dropped_total[1h]))`, legend: "alerts"}},
			},
		}},
	},
}
