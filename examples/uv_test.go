//go:build cgo && unix

package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// The programs below uv/ are for package uv alone, one for each kind of handle and
// request.
func TestProgramsOfUV(t *testing.T) {
	if asyncio.LibuvVersion() == "" {
		t.Skip("without libuv there is no package uv")
	}
	mains, err := filepath.Glob("uv/*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, main := range mains {
		dir := filepath.Dir(main)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(main)
			require.NoError(t, err)
			_, after, found := strings.Cut(string(text), "\n\n")
			require.True(t, found)
			assert.Regexp(t, regexp.MustCompile("(?i)^// "+name+" shows uv_"), after, "its first line does not say what it shows")
			assert.Contains(t, string(readme), "](examples/uv/"+name+"/main.go)", "the README does not name it")
			o := drivers[0].run(t.Context(), name)
			require.NoError(t, o.err, "stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
			assert.Empty(t, o.stderr)
			compare(t, dir, o.stdout)
		})
	}
}
