package deploy

import _ "embed"

// Runbook is RUNBOOK.md: a paragraph for each alert, under its name. The admin
// console shows it beside the alert.
//
//go:embed RUNBOOK.md
var Runbook string
