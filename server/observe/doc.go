// Package observe makes the server observable: it has the tables of the instruments, and the code that records them.
// METRICS.md is generated from the tables. Metrics enter in three ways:
//
//   - Edge: how long did a call to the outside take? [Observer.Echo] and [Observer.Handler] measure requests,
//     [Observer.SQL] statements, [Observer.Redis] commands.
//   - Event: what happened? [Observer.Chat], [Observer.Calls] and [Observer.Sockets] are the hooks of those packages.
//     The instruments are in instruments.go.
//   - State: how many now? [Observer.Watch] reads the [State] whenever metrics are collected. Each row of the table
//     in state.go has the function that reads its number, so a new number is one line.
//
// Recording is one call with precomputed attributes. No other package of the server knows of metrics, except package
// server.
package observe
