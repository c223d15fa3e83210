package main

var messaging = board{
	uid: "im-messaging", title: "IM 2: Messaging", about: "Messages: accepted, stored, delivered, or refused.",
	rows: []row{
		{title: "In", height: 8, panels: []panel{
			{
				title: "Accepted", kind: chart, width: 8, unit: "mps", about: "Messages accepted and stored, by node. A retry is not counted again.",
				queries: []query{{expr: `rate(messages_sent_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Refused", kind: chart, width: 8, unit: "mps", alert: "IMMessagesRefused",
				about:   "By reason. unavailable and internal are failures of the server; the others are faults of clients.",
				queries: []query{{expr: `sum by (reason) (rate(im_messages_refused_total{nodes}[rate]))`, legend: "{{reason}}"}},
			},
			{
				title: "Refused messages", kind: chart, width: 8, unit: "percentunit", alert: "IMMessagesRateLimited", limits: from(.05),
				about: "Share of all messages, over five minutes.",
				queries: []query{
					{expr: `job:im_messages_refused_faults:ratio_rate5m{job="imserver"}`, legend: "server failures"},
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
				title: "Messages per transaction", kind: chart, width: 8, unit: "short",
				about: "Mean, by node. Under load, messages share transactions.",
				queries: []query{{
					expr:   `rate(im_message_batch_size_sum{nodes}[rate]) / rate(im_message_batch_size_count{nodes}[rate])`,
					legend: "{{instance}}",
				}},
			},
			{
				title: "Failed transactions", kind: chart, width: 8, unit: "ops", alert: "IMMessagesRefused", about: "Transactions that stored no messages; the senders got an error.",
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
				about: "New messages written to sockets, and messages dropped because the connection was closed. Clients get these when they sync.",
				queries: []query{
					{expr: `sum(rate(im_message_deliveries_total{nodes}[rate]))`, legend: "written"},
					{expr: `sum(rate(im_message_deliveries_dropped_total{nodes}[rate]))`, legend: "dropped"},
				},
			},
			{
				title: "Recovered messages", kind: chart, width: 12, unit: "mps", alert: "IMEventsGivenUp",
				about: "Messages that the bus lost and a node loaded from the database, and loads that failed. After a failure, clients get them when they sync.",
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
		{title: "Search and files", height: 8, panels: []panel{
			{
				title: "Time to search", kind: chart, width: 8, unit: "s",
				about: "Time of a search for messages, including the wait for a free slot.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(im_search_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(im_search_duration_seconds_bucket{nodes}[rate])))`, legend: "99 %"},
				},
			},
			{
				title: "Searches", kind: chart, width: 8, unit: "ops",
				about:   "By outcome. A partial search stopped at its limit of work, and the client continues it. If many are partial, messages are not indexed yet, or the database is slow.",
				queries: []query{{expr: `sum by (outcome) (rate(im_search_duration_seconds_count{nodes}[rate]))`, legend: "{{outcome}}"}},
			},
			{
				title: "Not indexed yet", kind: chart, width: 8, unit: "short", alert: "IMSearchIndexStuck",
				about:   "Approximate number of messages that are not in the search index. It is high after an upgrade and under load, and then falls.",
				queries: []query{{expr: `max(im_search_behind{nodes})`, legend: "messages"}},
			},
			{
				title: "Oldest message not indexed", kind: chart, width: 8, unit: "s", alert: "IMSearchIndexStuck", limits: from(3600),
				about:   "Its age. A minute or two is normal. After an upgrade it starts high, and falls.",
				queries: []query{{expr: `max(im_search_wait_seconds{nodes})`, legend: "age"}},
			},
			{
				title: "Stored files", kind: chart, width: 8, unit: "bytes", alert: "IMFileQuota",
				about: "Size of all files, and --total-quota; 0 is no limit.",
				queries: []query{
					{expr: `max(im_files_size_bytes{nodes})`, legend: "files"},
					{expr: `max(im_files_quota_bytes{nodes})`, legend: "quota"},
				},
			},
			{
				title: "Used quota", kind: chart, width: 8, unit: "percentunit", alert: "IMFileQuota", limits: from(.9),
				about:   "Share of --total-quota that files take. Without a quota there is none.",
				queries: []query{{expr: `job:im_files_quota:usage_max{job="imserver"}`, legend: "used"}},
			},
			{
				title: "Files deleted", kind: chart, width: 12, unit: "ops", about: "Files that their owners deleted.",
				queries: []query{{expr: `sum(rate(im_files_deleted_total{nodes}[rate]))`, legend: "files"}},
			},
			{
				title: "Deleted bytes", kind: chart, width: 12, unit: "binBps", about: "Size of the files that their owners deleted.",
				queries: []query{{expr: `sum(rate(im_files_deleted_size_bytes_total{nodes}[rate]))`, legend: "bytes"}},
			},
		}},
		{title: "Moderation", height: 8, panels: []panel{
			{
				title: "Pending reports", kind: chart, width: 6, unit: "short", alert: "IMReportsWait",
				about:   "Reports that no moderator has handled yet. Every node reports the same number.",
				queries: []query{{expr: `max(im_reports_pending{nodes})`, legend: "pending"}},
			},
			{
				title: "Oldest pending report", kind: chart, width: 6, unit: "s", alert: "IMReportsWait", limits: from(24 * 3600),
				about:   "Its age; 0 if no report is pending.",
				queries: []query{{expr: `max(im_reports_wait_seconds{nodes})`, legend: "age"}},
			},
			{
				title: "New and handled reports", kind: chart, width: 6, unit: "short", about: "In the last hour, by action.",
				queries: []query{
					{expr: `sum(increase(im_reports_total{nodes}[1h]))`, legend: "new"},
					{expr: `sum by (action) (increase(im_reports_handled_total{nodes}[1h]))`, legend: "{{action}}"},
				},
			},
			{
				title: "Actions of the staff", kind: chart, width: 6, unit: "short",
				about: "In the last hour. The audit has the refused ones. Many refused access actions mean that somebody tries what they have no right to.",
				queries: []query{
					{expr: `sum by (act, outcome) (increase(im_staff_acts_total{nodes}[1h]))`, legend: "{{act}}: {{outcome}}"},
					{expr: `sum by (kind) (increase(im_bans_total{nodes}[1h]))`, legend: "bans: {{kind}}"},
					{expr: `sum by (kind) (increase(im_notices_total{nodes}[1h]))`, legend: "notices: {{kind}}"},
				},
			},
		}},
		{title: "People", height: 8, panels: []panel{
			{
				title: "Active users", kind: chart, width: 8, unit: "short",
				about:   "Users with an authenticated request in the last five minutes, by node.",
				queries: []query{{expr: `im_active_users_total{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Rejected logins", kind: chart, width: 8, unit: "ops", alert: "IMPasswordsGuessed",
				about:   "Logins and registrations. Many with reason unauthenticated mean that somebody is guessing passwords.",
				queries: []query{{expr: `sum by (operation, reason) (rate(im_logins_rejected_total{nodes}[rate]))`, legend: "{{operation}}: {{reason}}"}},
			},
			{
				title: "Wrong logins", kind: chart, width: 8, unit: "percentunit", alert: "IMPasswordsGuessed", limits: from(.5),
				about: "Share of logins with a wrong password or code, or refused after too many, over half an hour; and of two-factor codes, over an hour.",
				queries: []query{
					{expr: `job:im_logins_wrong:ratio_rate30m{job="imserver"}`, legend: "logins"},
					{expr: `job:im_two_factor_wrong:ratio_rate1h{job="imserver"}`, legend: "codes"},
				},
			},
			{
				title: "Spent refresh tokens", kind: chart, width: 8, unit: "percentunit", alert: "IMRefreshTokensReplayed", limits: from(.01),
				about:   "Sessions ended because a spent token came again, as a share of refreshes, over an hour.",
				queries: []query{{expr: `job:im_sessions_replayed:ratio_rate1h{job="imserver"}`, legend: "came again"}},
			},
			{
				title: "Failed exports", kind: chart, width: 8, unit: "percentunit", alert: "IMExportsFail", limits: from(.2),
				about:   "Share of exports that the server failed to complete, over six hours.",
				queries: []query{{expr: `job:im_export_failures:ratio_rate6h{job="imserver"}`, legend: "failed"}},
			},
			{
				title: "Unfinished deletions", kind: chart, width: 8, unit: "short", alert: "IMDeletionsStuck",
				about:   "Deleted accounts of which a node still has to remove data. Normally gone within a minute.",
				queries: []query{{expr: `max(im_deletions_pending{nodes})`, legend: "accounts"}},
			},
			{
				title: "Oldest unfinished deletion", kind: chart, width: 8, unit: "s", alert: "IMDeletionsStuck", limits: from(3600),
				about:   "Time since the account was deleted; 0 if all are finished.",
				queries: []query{{expr: `max(im_deletions_wait_seconds{nodes})`, legend: "age"}},
			},
			{
				title: "Accounts", kind: chart, width: 12, unit: "ops",
				about: "New passwords, ended sessions, deleted accounts and exports. Many sessions ended by replay mean that refresh tokens were stolen.",
				queries: []query{
					{expr: `sum by (by) (rate(im_password_changes_total{nodes}[rate]))`, legend: "password: {{by}}"},
					{expr: `sum by (by) (rate(im_sessions_ended_total{nodes}[rate]))`, legend: "session ended: {{by}}"},
					{expr: `sum by (by) (rate(im_accounts_deleted_total{nodes}[rate]))`, legend: "account deleted: {{by}}"},
					{expr: `sum by (outcome) (rate(im_exports_total{nodes}[rate]))`, legend: "export: {{outcome}}"},
				},
			},
			{
				title: "Two-factor login", kind: chart, width: 12, unit: "ops", alert: "IMCodesRefused",
				about:   "Codes accepted and refused, and two-factor login turned on and off. Many refused codes mean that somebody has stolen passwords.",
				queries: []query{{expr: `sum by (event) (rate(im_two_factor_events_total{nodes}[rate]))`, legend: "{{event}}"}},
			},
			{
				title: "Requests by route", kind: chart, width: 8, unit: "reqps", about: "The ten most frequent.",
				queries: []query{{expr: `topk(10, sum by (method, path) (rate(http_requests_total{nodes}[rate])))`, legend: "{{method}} {{path}}"}},
			},
			{
				title: "Blocks", kind: chart, width: 12, unit: "ops", about: "Blocks of users by other users, and their removals. Many at once mean that somebody annoys many users.",
				queries: []query{{expr: `sum by (change) (rate(im_blocks_total{nodes}[rate]))`, legend: "{{change}}"}},
			},
			{
				title: "Contact requests", kind: chart, width: 12, unit: "ops",
				about:   "Requests to chat, to add to a group or to call, sent to users who accept these only from friends, by outcome. Many refused ones mean spam.",
				queries: []query{{expr: `sum by (outcome) (rate(im_requests_total{nodes}[rate]))`, legend: "{{outcome}}"}},
			},
		}},
	},
}
