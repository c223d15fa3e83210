package main

var realtime = board{
	uid: "im-realtime", title: "IM 3: Realtime and calls", about: "WebSockets, the bus between nodes, calls, and the TURN relay.",
	rows: []row{
		{title: "WebSockets", height: 8, panels: []panel{
			{
				title: "Connections", kind: chart, width: 8, unit: "short", about: "Open WebSockets, by node.",
				queries: []query{{expr: `im_connections_active{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Users online", kind: chart, width: 8, unit: "short", about: "Users with an open WebSocket, by node.",
				queries: []query{{expr: `online_users_current{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Closed connections", kind: chart, width: 8, unit: "cps", alert: "IMSlowClients",
				about:   "By reason. client and lost are normal; slow: the client did not read; flood: it sent too much; restart: it must reconnect and sync.",
				queries: []query{{expr: `sum by (reason) (rate(im_connection_duration_seconds_count{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Closed because the client did not read", kind: chart, width: 6, unit: "cps", alert: "IMSlowClients", about: "By node.",
				queries: []query{{expr: `rate(im_connections_slow_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Frames from clients", kind: chart, width: 6, unit: "eps", about: "By type.",
				queries: []query{{expr: `sum by (type) (rate(im_frames_received_total{nodes}[rate]))`, legend: "{{type}}"}},
			},
			{
				title: "Frames refused", kind: chart, width: 6, unit: "eps", alert: "IMMessagesRefused", about: "Answered with an error frame, by its code.",
				queries: []query{{expr: `sum by (code) (rate(im_frames_refused_total{nodes}[rate]))`, legend: "{{code}}"}},
			},
			{
				title: "Bytes", kind: chart, width: 6, unit: "binBps", about: "Over WebSockets, all nodes.",
				queries: []query{
					{expr: `sum(rate(im_frames_received_size_bytes_total{nodes}[rate]))`, legend: "from clients"},
					{expr: `sum(rate(im_frames_sent_size_bytes_total{nodes}[rate]))`, legend: "to clients"},
				},
			},
			{
				title: "Frames to clients", kind: chart, width: 12, unit: "eps", about: "All types, by node.",
				queries: []query{{expr: `rate(im_frames_sent_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "How long connections last", kind: chart, width: 12, unit: "s", about: "Half of the connections that end, and 90 %, lasted at most this long.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_connection_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.9, sum by (le) (rate(im_connection_duration_seconds_bucket{nodes}[rate])))`, legend: "90 %"},
				},
			},
		}},
		{title: "The bus between nodes (with --redis)", height: 7, panels: []panel{
			{
				title: "Nodes that hear the others", kind: number, width: 4, unit: "none", alert: "IMBusDeaf", limits: below(1),
				about:   "A node that does not gets no live events from the others.",
				queries: []query{{expr: `sum(im_bus_connected{nodes})`, legend: "nodes"}},
			},
			{
				title: "Nodes heard", kind: chart, width: 5, unit: "none", alert: "IMBusSplit", about: "Number of other nodes that each node hears.",
				queries: []query{{expr: `im_bus_nodes{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Lag", kind: chart, width: 5, unit: "s", alert: "IMBusLag", limits: from(1), about: "From publishing to receiving a node's own heartbeat.",
				queries: []query{{expr: `im_bus_lag_seconds{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Waiting for Redis", kind: chart, width: 5, unit: "short", alert: "IMBusLag", about: "Events queued, by node.",
				queries: []query{{expr: `im_bus_queued{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Events", kind: chart, width: 5, unit: "eps", about: "All nodes.",
				queries: []query{
					{expr: `sum(rate(im_bus_events_published_total{nodes}[rate]))`, legend: "published"},
					{expr: `sum(rate(im_bus_events_received_total{nodes}[rate]))`, legend: "received"},
				},
			},
			{
				title: "Lost bus events", kind: chart, width: 12, unit: "eps", alert: "IMEventsGivenUp",
				about: "Lost events are loaded from the database; dropped and unannounced ones reach clients when they sync; garbage was not sent by a node.",
				queries: []query{
					{expr: `sum(rate(im_bus_events_lost_total{nodes}[rate]))`, legend: "lost"},
					{expr: `sum(rate(im_bus_events_dropped_total{nodes}[rate]))`, legend: "dropped"},
					{expr: `sum(rate(im_bus_failures_total{nodes}[rate]))`, legend: "not announced"},
					{expr: `sum(rate(im_bus_events_garbage_total{nodes}[rate]))`, legend: "garbage"},
				},
			},
			{
				title: "Recovery", kind: chart, width: 12, unit: "ops", alert: "IMBusDeaf", about: "Renewed subscriptions, and loads of missed events.",
				queries: []query{
					{expr: `sum(rate(im_bus_reconnects_total{nodes}[rate]))`, legend: "reconnected"},
					{expr: `sum(rate(im_bus_resumes_total{nodes}[rate]))`, legend: "recovered"},
				},
			},
		}},
		{title: "Calls", height: 7, panels: []panel{
			{
				title: "Media connections", kind: chart, width: 6, unit: "short", about: "Peers in calls with connected media, and WebSockets in a call.",
				queries: []query{
					{expr: `sum(webrtc_connections_active{nodes})`, legend: "media is up"},
					{expr: `sum(im_call_devices{nodes})`, legend: "in a call"},
				},
			},
			{
				title: "Started calls", kind: chart, width: 6, unit: "cps", about: "By type.",
				queries: []query{{expr: `sum by (type) (rate(im_call_started_total{nodes}[rate]))`, legend: "{{type}}"}},
			},
			{
				title: "Ended calls", kind: chart, width: 6, unit: "cps", alert: "IMCallsFail", about: "By reason. network_error and server_error are calls that broke.",
				queries: []query{{expr: `sum by (reason) (rate(im_call_ended_total{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Time to set up", kind: chart, width: 6, unit: "s", about: "90 % take at most this long: from offer to answer (people), and from answer to media (the network).",
				queries: []query{{
					expr:   `histogram_quantile(0.9, sum by (phase, le) (rate(im_call_setup_duration_seconds_bucket{nodes}[rate])))`,
					legend: "to {{phase}}",
				}},
			},
			{
				title: "How long calls last", kind: chart, width: 24, unit: "s", about: "From media to the end: half of the ended calls, and 90 %, lasted at most this long.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_call_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.9, sum by (le) (rate(im_call_duration_seconds_bucket{nodes}[rate])))`, legend: "90 %"},
				},
			},
		}},
		{title: "TURN relay (with --turn-addr)", height: 7, panels: []panel{
			{
				title: "Allocation requests", kind: chart, width: 6, unit: "ops", alert: "IMTurnFails", about: "Allocations requested from the relay, and those that failed or were refused.",
				queries: []query{
					{expr: `sum(rate(turn_relay_attempts_total{nodes}[rate]))`, legend: "requested"},
					{expr: `sum(rate(turn_relay_failures_total{nodes}[rate]))`, legend: "failed"},
				},
			},
			{
				title: "Failed allocations", kind: chart, width: 6, unit: "percentunit", alert: "IMTurnFails", limits: from(.1), max: whole, about: "Share of all requests, over ten minutes.",
				queries: []query{{expr: `job:turn_relay_failures:ratio_rate10m{job="imserver"}`, legend: "failed"}},
			},
			{
				title: "Allocations", kind: chart, width: 6, unit: "short", about: "Current, by node. Each takes a port.",
				queries: []query{{expr: `im_turn_allocations_active{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Relayed", kind: chart, width: 6, unit: "binBps", about: "Between clients and their peers.",
				queries: []query{{expr: `sum by (direction) (rate(im_turn_relayed_bytes_total{nodes}[rate]))`, legend: "{{direction}}"}},
			},
			{
				title: "Not relayed", kind: chart, width: 24, unit: "pps", alert: "IMTurnFails",
				about: "Packets above a user's limit or to a forbidden address, and peers denied to clients. Some denied peers are normal for every client.",
				queries: []query{
					{expr: `sum by (reason) (rate(im_turn_packets_dropped_total{nodes}[rate]))`, legend: "dropped: {{reason}}"},
					{expr: `sum(rate(im_turn_permissions_denied_total{nodes}[rate]))`, legend: "peers denied"},
				},
			},
		}},
	},
}
