//go:build cgo

package uv

// IPv6 zones: an interface's name, or its number as text.
//
// The system is asked for the name of a number, and for the number of a name, at most
// once a minute, as package net does. Each datagram of a neighbour's has a zone, and to
// ask takes 30 us.

import (
	"net"
	"strconv"
	"sync"
	"time"
)

// zoneAgeMax is how long an answer holds. An interface that is renamed has its new name
// after that.
const zoneAgeMax = time.Minute

// zoneTable keeps answers of the system.
type zoneTable[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]zoneAnswer[V]
}

type zoneAnswer[V any] struct {
	value V
	until time.Time
}

// find asks if the answer is not known. What the system does not know is asked again.
func (t *zoneTable[K, V]) find(key K, ask func(K) (V, error)) (V, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if a, ok := t.known[key]; ok && now.Before(a.until) {
		return a.value, nil
	}
	value, err := ask(key)
	if err != nil {
		delete(t.known, key)
		return value, err
	}
	if t.known == nil {
		t.known = make(map[K]zoneAnswer[V])
	}
	t.known[key] = zoneAnswer[V]{value, now.Add(zoneAgeMax)}
	return value, nil
}

var (
	zoneNumbers zoneTable[string, uint32]
	zoneNames   zoneTable[uint32, string]
)

// scopeID is the number of a zone; "" is 0.
func scopeID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	return zoneNumbers.find(zone, func(name string) (uint32, error) {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			return 0, err
		}
		return uint32(ifi.Index), nil
	})
}

// zoneName is the name of the interface, or its number if it is gone.
func zoneName(scope uint32) string {
	name, err := zoneNames.find(scope, func(scope uint32) (string, error) {
		ifi, err := net.InterfaceByIndex(int(scope))
		if err != nil {
			return "", err
		}
		return ifi.Name, nil
	})
	if err != nil {
		return strconv.FormatUint(uint64(scope), 10)
	}
	return name
}
