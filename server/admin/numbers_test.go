//go:build unix

package admin_test

import (
	"testing"

	"github.com/onemeter/onemeter/internal/browser"
)

// numbers checks how the dashboard computes its values: it parses unusual labels and garbage
// as Prometheus does, rates survive a restart, and quantiles equal those of
// histogram_quantile.
func numbers(t *testing.T, b *browser.Browser) {
	s := start(t)
	w := s.console(t, b, browser.Desktop)
	w.Until(`!!document.querySelector('input[name=who]')`)
	for _, c := range []struct{ name, code, want string }{
		{"labels", `const {parse} = await load('exposition'); const s = parse('a{b="x\\"y\\\\z\\n{},=",c="d",} 1 123\n').get('a')[0]; return [s.labels.b, s.labels.c, s.value]`,
			`["x\"y\\z\n{},=","d",1]`},
		{"exemplar", `const {parse} = await load('exposition'); return parse('b_bucket{le="1"} 2 # {trace_id="x"} 0.5 1.2').get('b_bucket')[0].value`, `2`},
		{"garbage", `const {parse} = await load('exposition'); return [...parse('# HELP c x\nc{x="y" 3\nd{=} 1\ne\n{"q"} 1\nf{a="1"}\ng +Inf\nh{a="1",b="2"} 1e-3\n\u0000').keys()]`, `["g","h"]`},
		{"everything", `const {parse} = await load('exposition'); const text = await (await fetch('/metrics')).text()
			return [...parse(text).values()].flat().length - text.split('\n').filter(l => l && l[0] !== '#').length`, `0`},
		{"quantile", `const {quantile} = await load('series'); const h = new Map([[0.1, 0], [0.5, 20], [Infinity, 40]]); return [0.25, 0.5, 0.99].map(q => Math.round(quantile(h, q) * 1000))`, `[300,500,500]`},
		{"nothing", `const {quantile} = await load('series'); return [quantile(new Map(), 0.5), quantile(new Map([[1, 0], [Infinity, 0]]), 0.5)]`, `[null,null]`},
		{"rates", `const {rates} = await load('series')
			const tick = (at, sent, started = 1) => ({at, of: new Map(sent === null ? [] : [['n', {at, sent, started}]])})
			return rates([tick(0, 10), tick(2, 30), tick(4, null), tick(6, 70), tick(8, 5, 7), tick(10, 9, 7), tick(90, 99, 7)], 'n', r => r.sent)`, `[null,10,null,10,null,2,null]`},
	} {
		got := browser.Eval[string](w.Window, `(async () => {
			const load = name => import(new URL('state/' + name + '.js', document.querySelector('script[type=module]').src))
			`+c.code+`
		})().then(JSON.stringify)`)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
