package asyncio

// What is wrong with an address, before a driver sees it: the drivers, and what is below
// them, differ in what they make of odd ones. A name cut at a NUL byte, for example, is
// another name.

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// unixPathMax is how long the path of a Unix socket may be, in bytes: sun_path without
// the NUL at its end. An abstract name, with its "@", has no NUL.
func unixPathMax(path string) int {
	longest := 103
	if runtime.GOOS == "linux" || runtime.GOOS == "windows" {
		longest = 107
	}
	if isAbstract(path) {
		longest++
	}
	return longest
}

// Networks, by what they carry.
var (
	streamNetworks   = []string{"tcp", "tcp4", "tcp6", "unix"}
	datagramNetworks = []string{"udp", "udp4", "udp6", "unixgram"}
)

// checkNetwork refuses a network that is none of those that fit.
func checkNetwork(network string, fit []string) error {
	if slices.Contains(fit, network) {
		return nil
	}
	last := len(fit) - 1
	return fmt.Errorf("asyncio: network %q: use %s or %s: %w", network, strings.Join(fit[:last], ", "), fit[last], net.UnknownNetworkError(network))
}

// checkAddress refuses what cannot be an address of the network.
func checkAddress(network, address string) error {
	refuse := func(why string, errno syscall.Errno) error {
		return fmt.Errorf("asyncio: %s address %q: %s: %w", network, address, why, errno)
	}
	if strings.ContainsRune(address, 0) {
		return refuse("it has a NUL byte", syscall.EINVAL)
	}
	if network != "unix" && network != "unixgram" {
		return nil
	}
	switch {
	case address == "":
		return refuse("it is empty; give a path, or @name for an abstract one", syscall.EINVAL)
	case address == "@":
		return refuse("an abstract name needs at least one byte", syscall.EINVAL)
	case len(address) > unixPathMax(address):
		return refuse(fmt.Sprintf("%d bytes are more than %d; take a shorter path, or one relative to the directory",
			len(address), unixPathMax(address)), syscall.ENAMETOOLONG)
	}
	return nil
}

// checkZone refuses an IPv6 address whose zone is no interface of this host. One that is
// a number is left to the kernel.
func checkZone(ip netip.Addr) error {
	zone := ip.Zone()
	if zone == "" {
		return nil
	}
	if _, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return nil
	}
	if _, err := net.InterfaceByName(zone); err != nil {
		return fmt.Errorf("asyncio: address %v: there is no interface %q: %w", ip, zone, err)
	}
	return nil
}
