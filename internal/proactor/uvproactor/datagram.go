//go:build cgo

package uvproactor

import (
	"errors"
	"fmt"
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

func (d *driver) OpenDatagram(local, remote net.Addr, opt proactor.DatagramOptions) (proactor.Datagram, error) {
	return nil, fmt.Errorf("datagrams: %w", errors.ErrUnsupported)
}
