package asyncio

// Queues. An item stays in the queue until the task that gets it runs, so a getter that
// was woken for an item and is cancelled loses nothing: the next one is woken for it. A
// task that is not in line and gets or puts at once may be quicker than one that was
// woken; that one then stands in line again, at the end, as in asyncio.

import "context"

// Queue is a queue between tasks: asyncio.Queue, LifoQueue and PriorityQueue. What its
// methods do to the queue happens at once; only Put, Get and Join may wait. It is for
// tasks of one loop.
type Queue[T any] struct {
	loopBinding
	items      itemStore[T]
	maxsize    int
	unfinished int // items that were put and not reported done
	shut       bool
	getters    waitQueue
	putters    waitQueue
	joiners    waitQueue
}

// itemStore decides which item is next.
type itemStore[T any] interface {
	push(v T)
	pop() T // of a store that is not empty
	len() int
}

// NewQueue makes a queue that gives the oldest item first: asyncio.Queue(maxsize). It
// holds maxsize items, or any number if that is 0 or less.
func NewQueue[T any](maxsize int) *Queue[T] {
	return &Queue[T]{items: &fifoStore[T]{}, maxsize: maxsize}
}

// NewLifoQueue makes a queue that gives the youngest item first:
// asyncio.LifoQueue(maxsize).
func NewLifoQueue[T any](maxsize int) *Queue[T] {
	return &Queue[T]{items: &lifoStore[T]{}, maxsize: maxsize}
}

// NewPriorityQueue makes a queue that gives the least item first:
// asyncio.PriorityQueue(maxsize). The order of equal items is not defined. It panics with
// ErrInvalidArgument if less is nil.
func NewPriorityQueue[T any](maxsize int, less func(a, b T) bool) *Queue[T] {
	if less == nil {
		panic(misuse(ErrInvalidArgument, "NewPriorityQueue was given a nil order"))
	}
	return &Queue[T]{items: &heapStore[T]{less: less}, maxsize: maxsize}
}

// Put adds v, once there is a free place for it: Queue.put. The error is ErrQueueShutDown
// after Shutdown, also if that came while Put waited; ErrNotCurrentTask outside a task;
// ErrWrongLoop if tasks of another loop have waited for the queue.
// Suspends if the queue is full. Cancelled: v was not added.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	a, err := enterTask(ctx, "Queue.Put")
	if err != nil {
		return err
	}
	for q.Full() {
		if q.shut {
			return ErrQueueShutDown
		}
		if err := q.bind(a.task.loop, "Queue"); err != nil {
			return err
		}
		if woken, err := q.putters.wait(a); err != nil {
			if woken && !q.Full() {
				q.putters.wakeNext()
			}
			return err
		}
	}
	return q.PutNowait(v)
}

// PutNowait adds v: Queue.put_nowait. The error is ErrQueueFull if there is no free
// place, ErrQueueShutDown after Shutdown.
func (q *Queue[T]) PutNowait(v T) error {
	if q.shut {
		return ErrQueueShutDown
	}
	if q.Full() {
		return ErrQueueFull
	}
	q.items.push(v)
	q.unfinished++
	q.getters.wakeNext()
	return nil
}

// Get takes the next item out, once there is one: Queue.get. The error is
// ErrQueueShutDown if the queue is empty and was shut down; else as for Put.
// Suspends if the queue is empty. Cancelled: no item was taken.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var zero T
	a, err := enterTask(ctx, "Queue.Get")
	if err != nil {
		return zero, err
	}
	for q.items.len() == 0 {
		if q.shut {
			return zero, ErrQueueShutDown
		}
		if err := q.bind(a.task.loop, "Queue"); err != nil {
			return zero, err
		}
		if woken, err := q.getters.wait(a); err != nil {
			if woken && q.items.len() > 0 {
				q.getters.wakeNext()
			}
			return zero, err
		}
	}
	return q.GetNowait()
}

// GetNowait takes the next item out: Queue.get_nowait. The error is ErrQueueEmpty if
// there is none, or then ErrQueueShutDown after Shutdown.
func (q *Queue[T]) GetNowait() (T, error) {
	if q.items.len() == 0 {
		var zero T
		if q.shut {
			return zero, ErrQueueShutDown
		}
		return zero, ErrQueueEmpty
	}
	v := q.items.pop()
	q.putters.wakeNext()
	return v, nil
}

// TaskDone says that the work on one item that was taken out is done: Queue.task_done. It
// panics with ErrInvalidState if it was called for more items than were put.
func (q *Queue[T]) TaskDone() {
	if q.unfinished == 0 {
		panic(misuse(ErrInvalidState, "TaskDone was called more often than items were put"))
	}
	q.unfinished--
	if q.unfinished == 0 {
		q.joiners.wakeAll()
	}
}

// Join waits until TaskDone was called for every item that was put: Queue.join. It
// returns also if further items were put since. The error is ErrNotCurrentTask outside a
// task, and ErrWrongLoop if tasks of another loop have waited for the queue.
// Suspends. Cancelled: nothing changes.
func (q *Queue[T]) Join(ctx context.Context) error {
	a, err := enterTask(ctx, "Queue.Join")
	if err != nil || q.unfinished == 0 {
		return err
	}
	if err := q.bind(a.task.loop, "Queue"); err != nil {
		return err
	}
	_, err = q.joiners.wait(a)
	return err
}

// Shutdown ends the queue: Queue.shutdown. From now on nothing can be put, and once the
// items that are left are taken out, nothing can be got. Tasks that wait in Put and Get
// learn of it. With immediate the items are dropped, and count as done for Join; items
// that were taken out still need their TaskDone.
func (q *Queue[T]) Shutdown(immediate bool) {
	q.shut = true
	if immediate {
		q.dropItems()
	}
	q.getters.wakeAll()
	q.putters.wakeAll()
}

func (q *Queue[T]) dropItems() {
	for q.items.len() > 0 {
		q.items.pop()
		q.unfinished = max(0, q.unfinished-1)
	}
	if q.unfinished == 0 {
		q.joiners.wakeAll()
	}
}

// Len is the number of items in the queue: Queue.qsize.
func (q *Queue[T]) Len() int { return q.items.len() }

// Maxsize is how many items the queue holds; 0 or less: any number. Queue.maxsize.
func (q *Queue[T]) Maxsize() int { return q.maxsize }

// Empty reports whether there is no item: Queue.empty.
func (q *Queue[T]) Empty() bool { return q.items.len() == 0 }

// Full reports whether there is no free place: Queue.full.
func (q *Queue[T]) Full() bool { return q.maxsize > 0 && q.items.len() >= q.maxsize }

// fifoStore is a ring of items; len(ring) is a power of two.
type fifoStore[T any] struct {
	ring  []T
	head  int // index of the oldest
	count int
}

const (
	fifoInitialLen = 8
	itemsKeepLen   = 1 << 10 // more memory than for so many items is given back once a queue is empty
)

func (s *fifoStore[T]) len() int { return s.count }

func (s *fifoStore[T]) push(v T) {
	if s.count == len(s.ring) {
		bigger := make([]T, max(2*len(s.ring), fifoInitialLen))
		n := copy(bigger, s.ring[s.head:])
		copy(bigger[n:], s.ring[:s.head])
		s.ring, s.head = bigger, 0
	}
	s.ring[(s.head+s.count)&(len(s.ring)-1)] = v
	s.count++
}

func (s *fifoStore[T]) pop() T {
	slot := &s.ring[s.head]
	v := *slot
	var zero T
	*slot = zero
	s.head = (s.head + 1) & (len(s.ring) - 1)
	s.count--
	if s.count == 0 && len(s.ring) > itemsKeepLen {
		s.ring, s.head = nil, 0
	}
	return v
}

type lifoStore[T any] struct{ stack []T }

func (s *lifoStore[T]) len() int { return len(s.stack) }

func (s *lifoStore[T]) push(v T) { s.stack = append(s.stack, v) }

func (s *lifoStore[T]) pop() T { return takeLast(&s.stack) }

// takeLast takes the last element out of a slice and forgets it.
func takeLast[T any](stack *[]T) T {
	last := len(*stack) - 1
	v := (*stack)[last]
	clear((*stack)[last:])
	*stack = (*stack)[:last]
	if last == 0 && cap(*stack) > itemsKeepLen {
		*stack = nil
	}
	return v
}

// heapStore is a binary heap: the children of item i are 2i+1 and 2i+2, and none is less
// than it.
type heapStore[T any] struct {
	heap []T
	less func(a, b T) bool
}

func (s *heapStore[T]) len() int { return len(s.heap) }

func (s *heapStore[T]) push(v T) {
	s.heap = append(s.heap, v)
	i := len(s.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s.less(v, s.heap[parent]) {
			break
		}
		s.heap[i] = s.heap[parent]
		i = parent
	}
	s.heap[i] = v
}

func (s *heapStore[T]) pop() T {
	v := takeLast(&s.heap)
	if len(s.heap) == 0 {
		return v
	}
	least := s.heap[0]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			break
		}
		if right := child + 1; right < len(s.heap) && s.less(s.heap[right], s.heap[child]) {
			child = right
		}
		if !s.less(s.heap[child], v) {
			break
		}
		s.heap[i] = s.heap[child]
		i = child
	}
	s.heap[i] = v
	return least
}
