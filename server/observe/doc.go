// Package observe is where the server becomes visible: the one table of its
// instruments (instruments.go), and what feeds them through the three doors by
// which metrics enter.
//
//   - Edge: how long did the outside take? [Observer.HTTP] wraps the handler,
//     [Observer.SQL] the database connector.
//   - Event: what happened? [Observer.Chat] and [Observer.Calls] are hooks that the
//     domain calls; [Observer.Delivered] and its neighbours are for those of the hub.
//   - State: how many now? [Observer.Watch] reads the owners' Stats whenever
//     metrics are collected.
//
// Recording costs one call with an attribute set computed once; no other
// package of the server knows that there are metrics.
package observe
