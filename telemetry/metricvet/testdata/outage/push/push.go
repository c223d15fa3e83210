package push

import "github.com/prometheus/client_golang/prometheus"

var Requests = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "http_requests_total",
	Help: "HTTP请求总数",
}, []string{"path"})

func init() {
	prometheus.MustRegister(Requests)
}
