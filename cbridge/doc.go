// Package cbridge joins Go and libuv; it is empty without cgo.
package cbridge
