package observe

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/telemetry"
)

// edges are the instruments that neither a hook nor the state moves, but a wrapper around what the server asks or
// answers.
var edges = map[string]string{
	"http.requests":                "each HTTP response (`Observer.Echo`, `Observer.Handler`)",
	"http.request.duration":        "each HTTP response but those of WebSockets (`Observer.Echo`, `Observer.Handler`)",
	"im.http.panics":               "`rest.Hooks.Panicked`",
	"db.query.duration":            "each statement (`Observer.SQL`)",
	"db.client.operation.duration": "each statement (`Observer.SQL`), and each command or pipeline of Redis (`Observer.Redis`)",
}

// A mover finds out what moves each instrument: it calls every hook and sets every field of the state, one at a time,
// and looks at the page.
type mover struct {
	scrape func() string
	known  map[string]bool // instruments, by their names on the page
	state  State
	by     map[string][]string // of each instrument
}

func moves(t *testing.T, o *Observer, tel *telemetry.Provider, scrape func() string) map[string][]string {
	t.Helper()
	m := &mover{scrape: scrape, known: make(map[string]bool), by: make(map[string][]string)}
	for _, i := range tel.Instruments() {
		m.known[i.Prometheus] = true
	}
	m.rest()
	if err := o.Watch(func() State { return m.state }); err != nil {
		t.Fatal(err)
	}
	m.hooks("chat.Hooks", reflect.ValueOf(o.Chat()))
	m.hooks("call.Hooks", reflect.ValueOf(o.Calls()))
	m.hooks("ws.Hooks", reflect.ValueOf(o.Sockets()))
	m.fields(reflect.ValueOf(&m.state).Elem())
	return m.by
}

// rest has the state at rest: every part is there, and every number is 0.
func (m *mover) rest() {
	m.state = State{Engine: "mysql"}
	allocate(reflect.ValueOf(&m.state).Elem())
	m.state.Caches = []Cache{{Name: "session", Shared: &rediscache.Stats{}}}
}

func allocate(v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
		}
	}
}

// during notes what an act moves on the page.
func (m *mover) during(act func(), cause string) {
	before := samples(m.scrape())
	act()
	for series, v := range samples(m.scrape()) {
		if family := m.family(series); before[series] != v && !slices.Contains(m.by[family], cause) {
			m.by[family] = append(m.by[family], cause)
		}
	}
}

// family is the name of the instrument that a series belongs to.
func (m *mover) family(series string) string {
	name, _, _ := strings.Cut(series, "{")
	if m.known[name] {
		return name
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func samples(page string) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(page) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			out[line[:i]] = line[i:]
		}
	}
	return out
}

// hooks calls each hook with whatever may decide what it records.
func (m *mover) hooks(owner string, hooks reflect.Value) {
	for i := range hooks.NumField() {
		hook := hooks.Field(i)
		if hook.IsNil() {
			continue
		}
		cause := "`" + owner + "." + hooks.Type().Field(i).Name + "`"
		for _, err := range []error{nil, errors.New("x")} {
			for _, yes := range []bool{false, true} {
				data := reflect.New(hook.Type().In(1)).Elem()
				fill(data, err, yes)
				m.during(func() { hook.Call([]reflect.Value{reflect.ValueOf(context.Background()), data}) }, cause)
			}
		}
	}
}

func fill(v reflect.Value, err error, yes bool) {
	switch {
	case v.Kind() == reflect.Interface:
		if err != nil {
			v.Set(reflect.ValueOf(err))
		}
	case v.Type() == reflect.TypeFor[chat.EventType]():
		v.SetString(string(chat.EventMessageNew))
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Now()))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(yes)
	case v.CanInt():
		v.SetInt(7_000_000)
	case v.CanUint():
		v.SetUint(7)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), err, yes)
		}
	}
}

// fields sets each number of the state, and takes it back.
func (m *mover) fields(v reflect.Value) {
	for i := range v.NumField() {
		f, cause := v.Field(i), "`"+v.Type().String()+"."+v.Type().Field(i).Name+"`"
		switch f.Kind() {
		case reflect.Pointer:
			if !f.IsNil() {
				m.fields(f.Elem())
			}
		case reflect.Struct:
			m.fields(f)
		case reflect.Slice:
			m.fields(f.Index(0))
		case reflect.String, reflect.Map:
		default:
			m.during(func() { fill(f, nil, true) }, cause)
			f.SetZero()
		}
	}
}

// Every instrument is moved by a hook, by the state, or at an edge; and an edge is not also moved by a hook.
func TestEveryInstrumentIsMoved(t *testing.T) {
	tel, o, scrape := strictly(t)
	by := moves(t, o, tel, scrape)
	for _, i := range tel.Instruments() {
		_, edge := edges[i.Name]
		if i.Scope.Name == scope && edge == (len(by[i.Prometheus]) > 0) {
			t.Errorf("%s: moved by %v, and an edge: %v", i.Name, by[i.Prometheus], edge)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(edges)) {
		if _, ok := o.rows[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
}
