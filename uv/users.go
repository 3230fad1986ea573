//go:build cgo

package uv

// Users and groups, from the system's own data base. It may ask the network, and blocks
// meanwhile. Plain functions, for any goroutine.

import (
	"math"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// User is an entry of the data base of users, uv_passwd_t.
type User struct {
	Username, Shell, HomeDir string
	UID, GID                 int
}

func userOf(u cbridge.User) User {
	return User{Username: u.Name, Shell: u.Shell, HomeDir: u.Home, UID: int(u.UID), GID: int(u.GID)}
}

// Passwd is the entry of the effective user; uv_os_get_passwd. The error is ENOENT if
// there is none.
func Passwd() (User, error) {
	u, code := cbridge.Passwd()
	return userOf(u), systemError("os_get_passwd", code)
}

// PasswdByUID is the entry of a user; uv_os_get_passwd2. The error is ENOENT if there is
// none, EINVAL for a number that is none, or ErrNotSupported before libuv 1.45.
func PasswdByUID(uid int) (User, error) {
	if !isID(uid) {
		return User{}, systemError("os_get_passwd2", int(EINVAL))
	}
	u, code := cbridge.PasswdOf(uint32(uid))
	return userOf(u), since("os_get_passwd2", 45, code)
}

// Group is an entry of the data base of groups, uv_group_t.
type Group struct {
	Name    string
	GID     int
	Members []string
}

// GroupByGID is the entry of a group; uv_os_get_group. The errors are those of
// PasswdByUID.
func GroupByGID(gid int) (Group, error) {
	if !isID(gid) {
		return Group{}, systemError("os_get_group", int(EINVAL))
	}
	g, code := cbridge.GroupOf(uint32(gid))
	return Group{Name: g.Name, GID: int(g.GID), Members: g.Members}, since("os_get_group", 45, code)
}

// isID reports whether the system may have a user or group of the number; the largest
// stands for none.
func isID(id int) bool { return id >= 0 && uint64(id) < math.MaxUint32 }
