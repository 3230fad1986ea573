package proactor

// Watching directories: what happens to the files in them.
//
//   - A name is told when its file may have appeared, changed or gone; which of these,
//     whoever hears of it finds out. It may be told for nothing, and once for much.
//   - The empty name stands for all names, and for the directory: so much has happened
//     that the system could not tell it, it tells no details, or the directory itself
//     was renamed, removed or has other attributes.
//   - What happens after WatchDir has returned is told by a later Poll. Where the system
//     tells nothing by itself, the driver looks now and then, or has whoever hears look:
//     then all that comes is the empty name.
//   - What happens below the directories in it is not told.
//   - The directory is watched, not its name: under another name it is watched on. After
//     it was removed nothing is told any more.
//   - After Close nothing is heard.

// DirWatcher watches directories.
type DirWatcher interface {
	// WatchDir watches the directory of a name. The error is a *fs.PathError: of a file
	// that is no directory ENOTDIR; a lack of watches is ENOSPC or EMFILE.
	WatchDir(name string, h DirHandler) (DirWatch, error)
}

// DirWatch is a watched directory.
type DirWatch interface {
	// Close ends the watch at once. Idempotent.
	Close()
}

// DirHandler hears of a DirWatch.
type DirHandler interface {
	// Touched tells the name of a file in the directory, or the empty one.
	Touched(name string)
}
