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

// ownedPlace is the place of one thing, plus one; 0: none.
type ownedPlace uint32

// ownedSet is the things that a loop owns, in no order.
type ownedSet []owned

func (s *ownedSet) add(o owned) {
	*s = append(*s, o)
	*o.place() = ownedPlace(len(*s))
}

// remove takes o out. Again, it does nothing.
func (s *ownedSet) remove(o owned) {
	at := o.place()
	if *at == 0 {
		return
	}
	all := *s
	last := len(all) - 1
	moved := all[last]
	all[*at-1] = moved
	*moved.place() = *at
	all[last] = nil
	*s = all[:last]
	*at = 0
}

// abandon gives up what is left when the loop closes.
func (s *ownedSet) abandon(l *Loop) {
	all := *s
	*s = nil
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
