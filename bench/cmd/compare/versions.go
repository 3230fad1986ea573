package main

import (
	"maps"
	"os"
	"os/exec"
	"path"
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
	for _, module := range []string{"github.com/cloudwego/netpoll", "github.com/dop251/goja_nodejs", "github.com/valyala/fasthttp", "github.com/panjf2000/gnet/v2",
		"github.com/lesismal/nbio"} {
		found[path.Base(strings.TrimSuffix(module, "/v2"))] = firstLine("go", "list", "-m", "-f", "{{.Version}}", module)
	}
	if crate, _ := filepath.Glob(filepath.Join(crates, tokioCrate)); len(crate) > 0 {
		found[result.Tokio] = strings.TrimPrefix(filepath.Base(crate[0]), "tokio-")
	}
	if version := firstLine("sed", "-n", `s/#define BOOST_LIB_VERSION "\(.*\)"/\1/p`, "/usr/include/boost/version.hpp"); version != "" {
		found[result.Asio] = "Boost " + strings.ReplaceAll(version, "_", ".")
	}
	found[result.Node] = firstLine("node", "--version")
	if python, ok := pythonWith("asyncio"); ok {
		found[result.PythonLoop] = firstLine(python, "-c", "import platform; print(platform.python_version())")
	}
	if python, ok := pythonWith("uvloop"); ok {
		found[result.UvloopLoop] = firstLine(python, "-c", "import uvloop, platform; print(uvloop.__version__, 'on Python', platform.python_version())")
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
