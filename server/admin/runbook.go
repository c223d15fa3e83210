package admin

import "strings"

// paragraphs returns the texts of a runbook's sections of the third level, by
// heading.
func paragraphs(runbook string) map[string]string {
	all := make(map[string]string)
	name, lines := "", []string(nil)
	end := func() {
		if name != "" {
			all[name] = strings.TrimSpace(strings.Join(lines, "\n"))
		}
		name, lines = "", nil
	}
	for line := range strings.Lines(runbook) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
			continue
		}
		end()
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			name = strings.TrimSpace(heading)
		}
	}
	end()
	return all
}
