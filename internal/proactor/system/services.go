package system

// Names of services by their numbers, which package net does not tell.

import (
	"os"
	"strings"
	"sync"
)

// services are those that the system knows, such as "80/tcp": "http". Where there is no
// such file there are none.
var services = sync.OnceValue(func() map[string]string {
	text, _ := os.ReadFile("/etc/services")
	return parseServices(string(text))
})

// parseServices reads lines such as "http 80/tcp www # a comment". The first name of a
// number is its name.
func parseServices(text string) map[string]string {
	names := make(map[string]string)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) >= 2 && names[fields[1]] == "" {
			names[fields[1]] = fields[0]
		}
	}
	return names
}
