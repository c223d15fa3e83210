package main

var messaging = board{
	uid: "im-messaging", title: "IM 2: Messaging", about: "What becomes of messages: accepted, stored, delivered, or refused.",
	rows: []row{
		{title: "In", height: 8, panels: []panel{
			{
				title: "Accepted", kind: chart, width: 8, unit: "mps", about: "Messages accepted and stored, by node; a retry is not counted again.",
				queries: []query{{expr: `rate(messages_sent_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Refused", kind: chart, width: 8, unit: "mps", alert: "IMMessagesRefused",
				about:   "By reason. unavailable and internal are faults of the server's, the others of its clients.",
				queries: []query{{expr: `sum by (reason) (rate(im_messages_refused_total{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Refused, of all", kind: chart, width: 8, unit: "percentunit", alert: "IMMessagesRateLimited", limits: from(.05),
				about: "Over five minutes.",
				queries: []query{
					{expr: `job:im_messages_refused_faults:ratio_rate5m{job="imserver"}`, legend: "faults of the server's"},
					{expr: `job:im_messages_refused_rate_limited:ratio_rate5m{job="imserver"}`, legend: "too fast"},
				},
			},
			{
				title: "Transactions", kind: chart, width: 8, unit: "s", alert: "IMDatabaseSlow",
				about: "Time of a transaction that stores messages. A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_message_commit_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(im_message_commit_duration_seconds_bucket{nodes}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
			{
				title: "Messages a transaction", kind: chart, width: 8, unit: "short",
				about: "Under load messages share transactions; the mean, by node.",
				queries: []query{{
					expr:   `rate(im_message_batch_size_sum{nodes}[rate]) / rate(im_message_batch_size_count{nodes}[rate])`,
					legend: "{{instance}}",
				}},
			},
			{
				title: "Transactions that failed", kind: chart, width: 8, unit: "ops", alert: "IMMessagesRefused", about: "Their senders were told.",
				queries: []query{{expr: `rate(im_message_commit_failures_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
		}},
		{title: "Out", height: 8, panels: []panel{
			{
				title: "Time to deliver", kind: chart, width: 8, unit: "s", alert: "IMDeliverySlow", limits: from(1),
				about: "From accepting a message to the last of its receivers' sockets. A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_message_delivery_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.95, sum by (le) (rate(im_message_delivery_duration_seconds_bucket{nodes}[rate])))`, legend: "95 %"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(im_message_delivery_duration_seconds_bucket{nodes}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
			{
				title: "Mean time to deliver", kind: chart, width: 8, unit: "s", alert: "IMDeliverySlow", limits: from(1),
				about:   "Over the last minute, by node; 0 while nothing is delivered.",
				queries: []query{{expr: `message_delivery_delay_seconds{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Deliveries", kind: chart, width: 8, unit: "mps", alert: "IMSlowClients",
				about: "New messages written to sockets, and those that a connection did not get because it was cut off; its client syncs.",
				queries: []query{
					{expr: `sum(rate(im_message_deliveries_total{nodes}[rate]))`, legend: "written"},
					{expr: `sum(rate(im_message_deliveries_dropped_total{nodes}[rate]))`, legend: "given up"},
				},
			},
			{
				title: "Made up for", kind: chart, width: 12, unit: "mps", alert: "IMEventsGivenUp",
				about: "Messages that the bus did not bring, loaded from the database; and times that this failed, after which clients sync.",
				queries: []query{
					{expr: `sum(rate(im_messages_recovered_total{nodes}[rate]))`, legend: "loaded"},
					{expr: `sum(rate(im_messages_recovery_failures_total{nodes}[rate]))`, legend: "failed"},
				},
			},
			{
				title: "Uploads", kind: chart, width: 12, unit: "binBps", alert: "IMFileStoreFails", about: "Bytes of files stored, by node.",
				queries: []query{{expr: `rate(im_upload_bytes_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
		}},
		{title: "People", height: 8, panels: []panel{
			{
				title: "Active users", kind: chart, width: 8, unit: "short",
				about:   "Users who did anything authenticated in the last five minutes, by node.",
				queries: []query{{expr: `im_active_users_total{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Logins turned away", kind: chart, width: 8, unit: "ops",
				about:   "Logins and registrations; many of unauthenticated are somebody guessing passwords.",
				queries: []query{{expr: `sum by (operation, reason) (rate(im_logins_rejected_total{nodes}[rate]))`, legend: "{{operation}}: {{reason}}"}},
			},
			{
				title: "Requests by route", kind: chart, width: 8, unit: "reqps", about: "The ten busiest.",
				queries: []query{{expr: `topk(10, sum by (method, path) (rate(http_requests_total{nodes}[rate])))`, legend: "{{method}} {{path}}"}},
			},
		}},
	},
}
