// A dependency: nobody looks at its packages by themselves.
module elsewhere.example

go 1.26.0

require github.com/prometheus/client_golang v1.25.0
