// Package observe is where the server becomes visible: the tables of its
// instruments, and what feeds them through the three doors by which metrics
// enter. METRICS.md is generated from the tables.
//
//   - Edge: how long did the outside take? [Observer.Echo] and [Observer.Handler]
//     measure requests, [Observer.SQL] statements, [Observer.Redis] commands.
//   - Event: what happened? [Observer.Chat], [Observer.Calls] and [Observer.Sockets]
//     are the hooks of those packages (the instruments are in instruments.go).
//   - State: how many now? [Observer.Watch] reads the [State] whenever metrics
//     are collected. Each row of the table in state.go has the function that
//     reads its number, so that a new number is one line.
//
// Recording costs one call with an attribute set computed once; no other
// package of the server knows that there are metrics.
package observe
