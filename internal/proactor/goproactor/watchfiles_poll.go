package goproactor

// Directories that nobody tells of: the handler looks at them twice a second.

import (
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// dirPollInterval is between two looks.
const dirPollInterval = 500 * time.Millisecond

// poll begins to have the directory looked at.
func (w *dirWatch) poll(name string) (stop func(), err error) {
	if err := system.CheckDir(name); err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	w.d.goroutines.Add(1)
	go func() {
		defer w.d.goroutines.Done()
		ticker := time.NewTicker(dirPollInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				w.d.post((*dirTick)(w))
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit) }, nil
}

// dirTick is the completion of a tick.
type dirTick dirWatch

func (t *dirTick) complete() { (*dirWatch)(t).touched("") }
func (t *dirTick) discard()  {}
