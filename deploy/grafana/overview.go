package main

func pointer(v float64) *float64 { return &v }

var whole = pointer(1) // of a ratio

// from turns red from v on.
func from(v float64) []limit { return []limit{{v, "red"}} }

// below is red below v.
func below(v float64) []limit { return []limit{{0, "red"}, {v, "green"}} }

var overview = board{
	uid: "im-overview", title: "IM 1: Overview", about: "Are users served? If the top row is green, they are.",
	rows: []row{
		{title: "Now", height: 4, panels: []panel{
			{
				title: "Nodes up", kind: number, width: 3, unit: "none", alert: "IMNodeDown", limits: below(1),
				about:   "Nodes whose metrics Prometheus can read.",
				queries: []query{{expr: `sum(up{nodes})`, legend: "nodes"}},
			},
			{
				title: "Alerts", kind: number, width: 3, unit: "none", limits: from(1),
				about:   "Firing alerts, of all nodes.",
				queries: []query{{expr: `count(ALERTS{alertstate="firing"}) or vector(0)`, legend: "alerts"}},
			},
			{
				title: "Failed requests", kind: number, width: 3, unit: "percentunit", alert: "IMRequestsFail", limits: from(.0144),
				about:   "Share of 5xx among all answers to clients, over five minutes, without probes and scrapes.",
				queries: []query{{expr: `job:http_request_failures:ratio_rate5m{job="imserver"}`, legend: "failed"}},
			},
			{
				title: "Slowest 1 % of requests", kind: number, width: 3, unit: "s", alert: "IMRequestsSlow", limits: from(1),
				about:   "One request in a hundred takes longer, not counting files.",
				queries: []query{{expr: `job:http_request_duration_seconds:p99_rate5m{job="imserver"}`, legend: "p99"}},
			},
			{
				title: "Refused messages", kind: number, width: 3, unit: "percentunit", alert: "IMMessagesRefused", limits: from(.01),
				about:   "Share of valid messages that were refused because the server failed.",
				queries: []query{{expr: `job:im_messages_refused_faults:ratio_rate5m{job="imserver"}`, legend: "refused"}},
			},
			{
				title: "Slowest 1 % of deliveries", kind: number, width: 3, unit: "s", alert: "IMDeliverySlow", limits: from(1),
				about:   "From accepting a message to the last of its receivers' sockets.",
				queries: []query{{expr: `job:im_message_delivery_duration_seconds:p99_rate5m{job="imserver"}`, legend: "p99"}},
			},
			{
				title: "Users online", kind: number, width: 3, unit: "short",
				about:   "Users with an open WebSocket. A user on two nodes counts twice.",
				queries: []query{{expr: `sum(online_users_current{nodes})`, legend: "users"}},
			},
			{
				title: "Messages", kind: number, width: 3, unit: "mps",
				about:   "Messages accepted and stored.",
				queries: []query{{expr: `sum(rate(messages_sent_total{nodes}[rate]))`, legend: "messages"}},
			},
		}},
		{title: "Traffic", height: 8, panels: []panel{
			{
				title: "Requests", kind: chart, width: 8, unit: "reqps", about: "Answers, by the first digit of their status.",
				queries: []query{{
					expr:   `sum by (class) (label_replace(rate(http_requests_total{nodes}[rate]), "class", "${1}xx", "status", "(.).."))`,
					legend: "{{class}}",
				}},
			},
			{
				title: "Time to answer", kind: chart, width: 8, unit: "s", alert: "IMRequestsSlow", limits: from(1),
				about: "Half of the requests, and 99 %, take at most this long. A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{nodes, path=~"/api/.*"}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{nodes, path=~"/api/.*"}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
			{
				title: "Messages and deliveries", kind: chart, width: 8, unit: "mps",
				about: "Messages accepted, and written to sockets of receivers: one message to a group is many deliveries.",
				queries: []query{
					{expr: `sum(rate(messages_sent_total{nodes}[rate]))`, legend: "accepted"},
					{expr: `sum(rate(im_message_deliveries_total{nodes}[rate]))`, legend: "delivered"},
				},
			},
		}},
		{title: "Failures and latency", height: 8, panels: []panel{
			{
				title: "Failures by route", kind: chart, width: 8, unit: "reqps", alert: "IMRequestsFail",
				about: "5xx answers. A line at 0 is a route that never failed.",
				queries: []query{{
					expr: `topk(10, sum by (path) (rate(http_requests_total{nodes, path=~"/api/.*|/ws", status=~"5.."}[rate]) ` +
						`or 0 * rate(http_requests_total{nodes, path=~"/api/.*|/ws"}[rate])))`,
					legend: "{{path}}",
				}},
			},
			{
				title: "Slowest routes", kind: table, width: 8, unit: "s", alert: "IMRequestsSlow", limits: from(1),
				about: "90 % of a route's requests take at most this long.",
				queries: []query{{
					expr:   `topk(10, histogram_quantile(0.9, sum by (method, path, le) (rate(http_request_duration_seconds_bucket{nodes, path=~"/api/.*"}[rate]))) > 0)`,
					legend: "{{method}} {{path}}",
				}},
			},
			{
				title: "Error budget burn rate", kind: chart, width: 8, unit: "short", alert: "IMRequestsFailSometimes", limits: from(6),
				about: "Failures, as a multiple of the allowed 0.1 %: at 1, a month's error budget lasts a month; at 14.4, two days.",
				queries: []query{
					{expr: `job:http_request_failures:ratio_rate1h{job="imserver"} / 0.001`, legend: "last hour"},
					{expr: `job:http_request_failures:ratio_rate6h{job="imserver"} / 0.001`, legend: "last 6 hours"},
				},
			},
		}},
		{title: "Capacity", height: 7, panels: []panel{
			{
				title: "CPU", kind: chart, width: 6, unit: "short", about: "Cores in use, by node.",
				queries: []query{{expr: `rate(process_cpu_seconds_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Database connections", kind: chart, width: 6, unit: "percentunit", alert: "IMDatabasePoolNearLimit", limits: from(.8), max: whole,
				about:   "Share of a node's MySQL connections in use.",
				queries: []query{{expr: `mysql_connections_active{nodes} / (mysql_connections_max{nodes} > 0)`, legend: "{{instance}}"}},
			},
			{
				title: "Memory of Redis", kind: chart, width: 6, unit: "percentunit", alert: "IMRedisMemory", limits: from(.85), max: whole,
				about:   "Share of maxmemory in use. Every node reports the same Redis.",
				queries: []query{{expr: `job:redis_memory:usage_max{job="imserver"}`, legend: "Redis"}},
			},
			{
				title: "Files and sockets", kind: chart, width: 6, unit: "percentunit", alert: "IMFileDescriptors", limits: from(.8), max: whole,
				about:   "Share of a node's limit that is open.",
				queries: []query{{expr: `process_open_fds{nodes} / process_max_fds{nodes}`, legend: "{{instance}}"}},
			},
		}},
	},
}
