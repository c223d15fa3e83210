package main

var stores = board{
	uid: "im-stores", title: "IM 4: Stores", about: "The database, Redis, and S3.",
	rows: []row{
		{title: "Database", height: 8, panels: []panel{
			{
				title: "Statements", kind: chart, width: 8, unit: "ops", about: "By operation.",
				queries: []query{{expr: `sum by (operation) (rate(db_query_duration_seconds_count{nodes}[rate]))`, legend: "{{operation}}"}},
			},
			{
				title: "Time of statements", kind: chart, width: 8, unit: "s", alert: "IMDatabaseSlow", limits: from(.5),
				about: "A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(db_query_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(db_query_duration_seconds_bucket{nodes}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
			{
				title: "Where the time goes", kind: chart, width: 8, unit: "short", alert: "IMDatabaseSlow",
				about:   "Mean number of concurrent statements, by table and operation: their rate times their duration.",
				queries: []query{{expr: `topk(10, sum by (table, operation) (rate(db_query_duration_seconds_sum{nodes}[rate])))`, legend: "{{operation}} {{table}}"}},
			},
			{
				title: "Connections", kind: chart, width: 6, unit: "short", alert: "IMDatabasePoolNearLimit", about: "MySQL, all nodes.",
				queries: []query{
					{expr: `sum(mysql_connections_active{nodes})`, legend: "in use"},
					{expr: `sum(mysql_connections_idle{nodes})`, legend: "idle"},
					{expr: `sum(mysql_connections_max{nodes})`, legend: "limit"},
				},
			},
			{
				title: "Connections in use", kind: chart, width: 6, unit: "percentunit", alert: "IMDatabasePoolNearLimit", limits: from(.8), max: whole,
				about:   "Share of a node's limit; mean over five minutes.",
				queries: []query{{expr: `instance:mysql_connections:usage_avg5m{nodes}`, legend: "{{instance}}"}},
			},
			{
				title: "Waiting for a connection", kind: chart, width: 6, unit: "short", alert: "IMDatabasePoolNearLimit",
				about:   "Mean number of waiting callers, by node.",
				queries: []query{{expr: `rate(im_db_connections_wait_seconds_total{nodes}[rate])`, legend: "{{instance}}"}},
			},
			{
				title: "Slow queries", kind: chart, width: 6, unit: "ops", alert: "IMDatabaseSlow", about: "Slow statements of all of MySQL's clients, as MySQL counts them.",
				queries: []query{{expr: `max(rate(mysql_slow_queries_total{nodes}[rate]))`, legend: "MySQL"}},
			},
			{
				title: "Failed operations", kind: chart, width: 12, unit: "ops",
				about:   "Database and Redis, by error. duplicate and NOSCRIPT are normal: the server expects them.",
				queries: []query{{expr: `sum by (db_system_name, error_type) (rate(db_client_operation_duration_seconds_count{nodes, error_type!=""}[rate]))`, legend: "{{db_system_name}}: {{error_type}}"}},
			},
			{
				title: "Open connections", kind: chart, width: 12, unit: "short", about: "Database and Redis, all nodes, and their limits.",
				queries: []query{
					{expr: `sum by (db_client_connection_pool_name, db_client_connection_state) (db_client_connection_count{nodes})`, legend: "{{db_client_connection_pool_name}} {{db_client_connection_state}}"},
					{expr: `sum by (db_client_connection_pool_name) (db_client_connection_max{nodes})`, legend: "{{db_client_connection_pool_name}} limit"},
				},
			},
		}},
		{title: "Redis and caches", height: 8, panels: []panel{
			{
				title: "Memory", kind: chart, width: 6, unit: "bytes", alert: "IMRedisMemory", about: "Used by Redis, and its limit.",
				queries: []query{
					{expr: `max(redis_memory_used_bytes{nodes})`, legend: "used"},
					{expr: `max(redis_memory_max_bytes{nodes})`, legend: "limit"},
				},
			},
			{
				title: "Time of commands", kind: chart, width: 6, unit: "s", alert: "IMBusLag", about: "Redis. A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(db_client_operation_duration_seconds_bucket{nodes, db_system_name="redis"}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(db_client_operation_duration_seconds_bucket{nodes, db_system_name="redis"}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
			{
				title: "Commands", kind: chart, width: 6, unit: "ops", about: "The ten most frequent.",
				queries: []query{{expr: `topk(10, sum by (db_operation_name) (rate(db_client_operation_duration_seconds_count{nodes, db_system_name="redis"}[rate])))`, legend: "{{db_operation_name}}"}},
			},
			{
				title: "Waiting for a connection", kind: chart, width: 6, unit: "short", about: "Mean number of callers that wait for Redis' pool, commands that wait now, and timeouts per second.",
				queries: []query{
					{expr: `sum(rate(im_redis_connections_wait_seconds_total{nodes}[rate]))`, legend: "waiting"},
					{expr: `sum(db_client_connection_pending_requests{nodes})`, legend: "waiting now"},
					{expr: `sum(rate(db_client_connection_timeouts_total{nodes}[rate]))`, legend: "timed out"},
				},
			},
			{
				title: "Connections requested", kind: chart, width: 6, unit: "ops", about: "Redis' pool: whether an idle connection was available, and idle connections that were dead.",
				queries: []query{
					{expr: `sum by (hit) (rate(im_redis_connections_requests_total{nodes}[rate]))`, legend: "idle: {{hit}}"},
					{expr: `sum(rate(im_redis_connections_stale_total{nodes}[rate]))`, legend: "dead"},
				},
			},
			{
				title: "Lookups in the cache", kind: chart, width: 6, unit: "ops", about: "Values found in process or in Redis, and values not found, which are read from the database.",
				queries: []query{
					{expr: `sum(rate(redis_cache_hits_total{nodes}[rate]))`, legend: "found"},
					{expr: `sum(rate(redis_cache_misses_total{nodes}[rate]))`, legend: "not found"},
				},
			},
			{
				title: "Hit ratio", kind: chart, width: 6, unit: "percentunit", max: whole, about: "By cache, and for all over five minutes.",
				queries: []query{
					{expr: `sum by (cache) (rate(im_cache_lookups_total{nodes, hit="true"}[rate])) / sum by (cache) (rate(im_cache_lookups_total{nodes}[rate]))`, legend: "{{cache}}"},
					{expr: `job:redis_cache_hits:ratio_rate5m{job="imserver"}`, legend: "all"},
				},
			},
			{
				title: "Kept in process", kind: chart, width: 6, unit: "short", about: "Values, by cache, all nodes.",
				queries: []query{{expr: `sum by (cache) (im_cache_entries{nodes})`, legend: "{{cache}}"}},
			},
			{
				title: "Shared cache", kind: chart, width: 12, unit: "ops", about: "Lookups in Redis, for values that the node did not have in process.",
				queries: []query{
					{expr: `sum by (hit) (rate(im_cache_shared_lookups_total{nodes}[rate]))`, legend: "found: {{hit}}"},
					{expr: `sum(rate(im_cache_shared_failures_total{nodes}[rate]))`, legend: "failed"},
				},
			},
			{
				title: "Pending invalidations", kind: chart, width: 12, unit: "short", about: "Outdated values that are not yet deleted from Redis, and those given up, which stay until they expire.",
				queries: []query{
					{expr: `sum by (cache) (im_cache_shared_owed{nodes})`, legend: "{{cache}}"},
					{expr: `sum(rate(im_cache_shared_forgotten_total{nodes}[rate]))`, legend: "given up per second"},
				},
			},
		}},
		{title: "S3 (with --blob s3://…)", height: 8, panels: []panel{
			{
				title: "Requests", kind: chart, width: 8, unit: "reqps", alert: "IMFileStoreFails", about: "By status. A request without a status got no answer.",
				queries: []query{{expr: `sum by (http_request_method, http_response_status_code) (rate(http_client_request_duration_seconds_count{nodes}[rate]))`, legend: "{{http_request_method}} {{http_response_status_code}}"}},
			},
			{
				title: "Failed", kind: chart, width: 8, unit: "percentunit", alert: "IMFileStoreFails", limits: from(.05), max: whole, about: "Share of all requests, over five minutes.",
				queries: []query{{expr: `job:http_client_request_failures:ratio_rate5m{job="imserver"}`, legend: "failed"}},
			},
			{
				title: "Time to answer", kind: chart, width: 8, unit: "s", about: "Time until the header of the answer. A dot leads to a trace.",
				queries: []query{
					{expr: `histogram_quantile(0.5, sum by (le) (rate(http_client_request_duration_seconds_bucket{nodes}[rate])))`, legend: "half"},
					{expr: `histogram_quantile(0.99, sum by (le) (rate(http_client_request_duration_seconds_bucket{nodes}[rate])))`, legend: "99 %", exemplars: true},
				},
			},
		}},
	},
}
