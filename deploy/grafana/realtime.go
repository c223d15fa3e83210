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
				title: "Ends of connections", kind: chart, width: 8, unit: "cps", alert: "IMSlowClients",
				about:   "By reason: client and lost are usual; slow did not read, flood did not stop, restart is to sync.",
				queries: []query{{expr: `sum by (reason) (rate(im_connection_duration_seconds_count{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Cut off because they did not read", kind: chart, width: 6, unit: "cps", alert: "IMSlowClients", about: "By node.",
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
				title: "Bytes", kind: chart, width: 6, unit: "binBps", about: "Of WebSockets, of all nodes.",
				queries: []query{
					{expr: `sum(rate(im_frames_received_size_bytes_total{nodes}[rate]))`, legend: "from clients"},
					{expr: `sum(rate(im_frames_sent_size_bytes_total{nodes}[rate]))`, legend: "to clients"},
				},
			},
			{
				title: "Frames to clients", kind: chart, width: 12, unit: "eps", about: "Of every type, by node.",
				queries: []query{{expr: `rate(im_frames_sent_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "How long connections last", kind: chart, width: 12, unit: "s", about: "Of those that end: half of them, and nine in ten, lasted at most so long.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_connection_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.9, sum by (le) (rate(im_connection_duration_seconds_bucket{nodes}[rate])))`, legend: "90 %"},
				},
			},
		}},
		{title: "The bus between nodes (with --redis)", height: 7, panels: []panel{
			{
				title: "Nodes that hear the others", kind: number, width: 4, unit: "none", alert: "IMBusDeaf", limits: below(1),
				about:   "A node that does not gets nothing live from the others.",
				queries: []query{{expr: `sum(im_bus_connected{nodes})`, legend: "nodes"}},
			},
			{
				title: "Nodes heard", kind: chart, width: 5, unit: "none", alert: "IMBusSplit", about: "Others that each node hears.",
				queries: []query{{expr: `im_bus_nodes{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Lag", kind: chart, width: 5, unit: "s", alert: "IMBusLag", limits: from(1), about: "From publishing to receipt, of a node's own beat.",
				queries: []query{{expr: `im_bus_lag_seconds{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Waiting for Redis", kind: chart, width: 5, unit: "short", alert: "IMBusLag", about: "Events queued, by node.",
				queries: []query{{expr: `im_bus_queued{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Events", kind: chart, width: 5, unit: "eps", about: "Of all nodes.",
				queries: []query{
					{expr: `sum(rate(im_bus_events_published_total{nodes}[rate]))`, legend: "published"},
					{expr: `sum(rate(im_bus_events_received_total{nodes}[rate]))`, legend: "received"},
				},
			},
			{
				title: "What the bus lost", kind: chart, width: 12, unit: "eps", alert: "IMEventsGivenUp",
				about: "Lost events are made up for from the database; dropped ones and failures by clients that sync; garbage is no event of ours.",
				queries: []query{
					{expr: `sum(rate(im_bus_events_lost_total{nodes}[rate]))`, legend: "lost"},
					{expr: `sum(rate(im_bus_events_dropped_total{nodes}[rate]))`, legend: "dropped"},
					{expr: `sum(rate(im_bus_failures_total{nodes}[rate]))`, legend: "not announced"},
					{expr: `sum(rate(im_bus_events_garbage_total{nodes}[rate]))`, legend: "garbage"},
				},
			},
			{
				title: "Mended", kind: chart, width: 12, unit: "ops", alert: "IMBusDeaf", about: "Subscriptions made again, and times that something missed was loaded.",
				queries: []query{
					{expr: `sum(rate(im_bus_reconnects_total{nodes}[rate]))`, legend: "reconnected"},
					{expr: `sum(rate(im_bus_resumes_total{nodes}[rate]))`, legend: "made up for"},
				},
			},
		}},
		{title: "Calls", height: 7, panels: []panel{
			{
				title: "Media connections", kind: chart, width: 6, unit: "short", about: "Peers in calls whose media is up, and WebSockets that are in a call.",
				queries: []query{
					{expr: `sum(webrtc_connections_active{nodes})`, legend: "media is up"},
					{expr: `sum(im_call_devices{nodes})`, legend: "in a call"},
				},
			},
			{
				title: "Begun", kind: chart, width: 6, unit: "cps", about: "By type.",
				queries: []query{{expr: `sum by (type) (rate(im_call_started_total{nodes}[rate]))`, legend: "{{type}}"}},
			},
			{
				title: "Ended", kind: chart, width: 6, unit: "cps", alert: "IMCallsFail", about: "By reason. network_error and server_error are calls that broke.",
				queries: []query{{expr: `sum by (reason) (rate(im_call_ended_total{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Time to set up", kind: chart, width: 6, unit: "s", about: "Nine in ten: from offer to answer, which is people, and from answer to media, which is the network.",
				queries: []query{{
					expr:   `histogram_quantile(0.9, sum by (phase, le) (rate(im_call_setup_duration_seconds_bucket{nodes}[rate])))`,
					legend: "to {{phase}}",
				}},
			},
			{
				title: "How long calls last", kind: chart, width: 24, unit: "s", about: "Of those that end, from media: half of them, and nine in ten.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_call_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.9, sum by (le) (rate(im_call_duration_seconds_bucket{nodes}[rate])))`, legend: "90 %"},
				},
			},
		}},
		{title: "TURN relay (with --turn-addr)", height: 7, panels: []panel{
			{
				title: "Asked for", kind: chart, width: 6, unit: "ops", alert: "IMTurnFails", about: "Allocations asked of the relay, and those that it refused or failed.",
				queries: []query{
					{expr: `sum(rate(turn_relay_attempts_total{nodes}[rate]))`, legend: "asked for"},
					{expr: `sum(rate(turn_relay_failures_total{nodes}[rate]))`, legend: "failed"},
				},
			},
			{
				title: "Failures", kind: chart, width: 6, unit: "percentunit", alert: "IMTurnFails", limits: from(.1), max: whole, about: "Of all, over ten minutes.",
				queries: []query{{expr: `job:turn_relay_failures:ratio_rate10m{job="imserver"}`, legend: "failed"}},
			},
			{
				title: "Allocations", kind: chart, width: 6, unit: "short", about: "At this moment, by node; one takes a port.",
				queries: []query{{expr: `im_turn_allocations_active{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Relayed", kind: chart, width: 6, unit: "binBps", about: "Between clients and their peers.",
				queries: []query{{expr: `sum by (direction) (rate(im_turn_relayed_bytes_total{nodes}[rate]))`, legend: "{{direction}}"}},
			},
			{
				title: "Not relayed", kind: chart, width: 24, unit: "pps", alert: "IMTurnFails",
				about: "Packets above the limit of their user, or to an address that nothing is relayed to; and peers that clients may not reach, which all ask for.",
				queries: []query{
					{expr: `sum by (reason) (rate(im_turn_packets_dropped_total{nodes}[rate]))`, legend: "dropped: {{reason}}"},
					{expr: `sum(rate(im_turn_permissions_denied_total{nodes}[rate]))`, legend: "peers denied"},
				},
			},
		}},
	},
}
