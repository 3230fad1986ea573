package asyncio

// What a loop owns. Whatever holds a descriptor of the driver's joins when it is made and
// leaves when it has ended: transports, listening sockets. So the loop can count it,
// describe it, and abandon it when the loop closes, and does not know what it is. A new
// kind of handle adds a file, and no branch here.
//
// What a part of the library keeps for each loop, such as a pool of buffers, is a
// feature. It is made when that part first asks for it.

// owned is something that ends with its loop, if it has not ended before.
type owned interface {
	// abandon is called when the loop closes: no callback runs any more, and the driver
	// is about to close the descriptor.
	abandon(l *Loop)
	// String says what it is, for logs.
	String() string
	// place is where it keeps its place among what the loop owns.
	place() *ownedPlace
}

// holder is an owned thing in which bytes wait: to be read by the program, and to be
// taken by the kernel.
type holder interface{ held() (read, write int) }

// ownedPlace is the place of one thing, plus one; 0: none.
type ownedPlace uint32

// ownedSet is the things that a loop owns, in no order. They lie in pieces, so that none
// is copied when there are more: a server with 5,000 connections would hold 33 bytes more
// for each, the garbage of a slice that has grown.
type ownedSet struct {
	pieces []*[ownedPieceLen]owned
	count  int
}

const ownedPieceLen = 64

func (s *ownedSet) at(i int) *owned { return &s.pieces[i/ownedPieceLen][i%ownedPieceLen] }

func (s *ownedSet) add(o owned) {
	if s.count == len(s.pieces)*ownedPieceLen {
		s.pieces = append(s.pieces, new([ownedPieceLen]owned))
	}
	*s.at(s.count) = o
	s.count++
	*o.place() = ownedPlace(s.count)
}

// remove takes o out. Again, it does nothing.
func (s *ownedSet) remove(o owned) {
	at := o.place()
	if *at == 0 {
		return
	}
	s.count--
	last := s.at(s.count)
	moved := *last
	*s.at(int(*at) - 1) = moved
	*moved.place() = *at
	*last, *at = nil, 0
	if spare := len(s.pieces) - 2; spare >= 0 && s.count <= spare*ownedPieceLen {
		s.pieces[spare+1] = nil
		s.pieces = s.pieces[:spare+1]
	}
}

// all is a copy of the set.
func (s *ownedSet) all() []owned {
	all := make([]owned, s.count)
	for i := range all {
		all[i] = *s.at(i)
	}
	return all
}

// each calls fn for every thing. It must add and remove none.
func (s *ownedSet) each(fn func(o owned)) {
	for i := range s.count {
		fn(*s.at(i))
	}
}

// abandon gives up what is left when the loop closes.
func (s *ownedSet) abandon(l *Loop) {
	all := s.all()
	*s = ownedSet{}
	forEach(all, func(o owned) {
		*o.place() = 0
		o.abandon(l)
	})
}

// warnUnclosed says in debug mode that o was left open when its loop closed, and what to
// call.
func (l *Loop) warnUnclosed(o owned, advice string) {
	if l.debug {
		l.log().Warn("unclosed "+advice, "what", o.String())
	}
}

// feature is what a part of the library keeps for each loop.
type feature interface {
	// loopClosed is called when the loop closes. It does not wait.
	loopClosed(l *Loop)
}

// featureOf is the loop's feature of a type. It is for the loop's goroutine. There are
// few features, so they are sought one by one.
func featureOf[F any, P interface {
	*F
	feature
}](l *Loop) P {
	for _, f := range l.features {
		if found, ok := f.(P); ok {
			return found
		}
	}
	made := P(new(F))
	l.features = append(l.features, made)
	return made
}

// closeFeatures tells every feature, also if one of them panics.
func (l *Loop) closeFeatures() {
	all := l.features
	l.features = nil
	forEach(all, func(f feature) { f.loopClosed(l) })
}
