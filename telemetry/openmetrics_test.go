package telemetry_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkOpenMetrics checks a page against the grammar and the rules of OpenMetrics 1.0: comments, families in one
// piece, sample names that fit the type, distinct labels and series, no family's name among the names of another, and
// # EOF at the end.
func checkOpenMetrics(body []byte) error {
	text := string(body)
	if !utf8.ValidString(text) {
		return fmt.Errorf("openmetrics: not UTF-8")
	}
	page, ok := strings.CutSuffix(text, "# EOF\n")
	if !ok || strings.Contains(page, "# EOF") {
		return fmt.Errorf("openmetrics: does not end in one # EOF")
	}
	c := &omChecker{names: map[string]string{}, families: map[string]bool{}, series: map[string]bool{}}
	for i, line := range strings.Split(strings.TrimSuffix(page, "\n"), "\n") {
		if err := c.line(line); err != nil {
			return fmt.Errorf("openmetrics: line %d: %w: %s", i+1, err, line)
		}
	}
	return nil
}

type omChecker struct {
	family, typ  string
	sampled      bool
	help, hasTyp bool
	families     map[string]bool
	names        map[string]string // of samples and families, and the family that has them
	series       map[string]bool
}

var (
	omComment = regexp.MustCompile(`^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) ?(.*)$`)
	omSample  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([^ {}]+)( # \{.*)?$`)
	omLabel   = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)`)
	omSuffix  = map[string][]string{
		"counter": {"_total", "_created"}, "gauge": {""}, "unknown": {""},
		"histogram": {"_bucket", "_count", "_sum", "_created"}, "summary": {"", "_count", "_sum", "_created"},
	}
)

func (c *omChecker) line(line string) error {
	if m := omComment.FindStringSubmatch(line); m != nil {
		return c.comment(m[1], m[2], m[3])
	}
	m := omSample.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("neither a comment nor a sample")
	}
	return c.sample(m[1], m[2], m[3])
}

func (c *omChecker) comment(what, family, rest string) error {
	if family != c.family {
		if c.families[family] {
			return fmt.Errorf("family %s is in two pieces", family)
		}
		c.families[family] = true
		c.family, c.typ, c.sampled, c.help, c.hasTyp = family, "unknown", false, false, false
	}
	if c.sampled {
		return fmt.Errorf("a comment behind samples")
	}
	switch what {
	case "HELP":
		if c.help {
			return fmt.Errorf("two HELP")
		}
		c.help = true
	case "TYPE":
		if c.hasTyp {
			return fmt.Errorf("two TYPE")
		}
		if omSuffix[rest] == nil {
			return fmt.Errorf("unknown type %q", rest)
		}
		c.hasTyp, c.typ = true, rest
		for _, s := range append([]string{""}, omSuffix[rest]...) {
			if s == "_created" {
				continue // not exposed here
			}
			if other := c.names[family+s]; other != "" && other != family {
				return fmt.Errorf("the name %s is taken by family %s", family+s, other)
			}
			c.names[family+s] = family
		}
	}
	return nil
}

func (c *omChecker) sample(name, labels, value string) error {
	c.sampled = true
	suffix, ok := strings.CutPrefix(name, c.family)
	if !ok {
		return fmt.Errorf("a sample of no family")
	}
	fits := false
	for _, s := range omSuffix[c.typ] {
		fits = fits || s == suffix
	}
	if !fits {
		return fmt.Errorf("a %s has no sample %q", c.typ, suffix)
	}
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		return err
	}
	key := name + labels
	if c.series[key] {
		return fmt.Errorf("a series twice")
	}
	c.series[key] = true
	seen := map[string]bool{}
	rest := strings.TrimSuffix(strings.TrimPrefix(labels, "{"), "}")
	for rest != "" {
		m := omLabel.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("malformed labels at %q", rest)
		}
		if seen[m[1]] {
			return fmt.Errorf("label %s twice", m[1])
		}
		seen[m[1]] = true
		rest = rest[len(m[0]):]
	}
	return nil
}
