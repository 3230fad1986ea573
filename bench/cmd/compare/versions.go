package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// What a figure depends on beside the code. A part that cannot be found out is left out:
// it is not worth failing for.

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func kernel() string { return firstLine("uname", "-sr") }

func commit(root string) string { return firstLine("git", "-C", root, "rev-parse", "--short", "HEAD") }

// versions are those of the contenders that come from elsewhere.
func versions() map[string]string {
	found := map[string]string{"libuv": asyncio.LibuvVersion()}
	for _, module := range []string{"github.com/cloudwego/netpoll", "github.com/dop251/goja_nodejs", "github.com/valyala/fasthttp"} {
		found[module[strings.LastIndexByte(module, '/')+1:]] = firstLine("go", "list", "-m", "-f", "{{.Version}}", module)
	}
	if crate, _ := filepath.Glob(filepath.Join(crates, tokioCrate)); len(crate) > 0 {
		found[result.Tokio] = strings.TrimPrefix(filepath.Base(crate[0]), "tokio-")
	}
	found[result.Node] = firstLine("node", "--version")
	if path, ok := pythonWith("asyncio"); ok {
		found[result.PythonLoop] = firstLine(path, "-c", "import platform; print(platform.python_version())")
	}
	if path, ok := pythonWith("uvloop"); ok {
		found[result.UvloopLoop] = firstLine(path, "-c", "import uvloop, platform; print(uvloop.__version__, 'on Python', platform.python_version())")
	}
	maps.DeleteFunc(found, func(_, version string) bool { return version == "" })
	return found
}

// firstLine is what a command prints, or "" if it fails.
func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
