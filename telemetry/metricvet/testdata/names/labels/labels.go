package labels

import "strings"

// Namespace is in a package that knows of no metrics.
func Namespace(service string) string { return strings.ReplaceAll(service, "-", "_") }
