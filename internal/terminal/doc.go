// Package terminal opens pseudo-terminals, in the part of a user, for the tests of
// several packages. Where the system makes them in another way the error is
// errors.ErrUnsupported.
package terminal
