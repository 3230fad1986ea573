#!/bin/sh
# Puts libuv where cbridge looks for it: libuv/include and libuv/lib beside this script, and what it is into libuv/VERSION
# (line 1: version, line 2: choice). Three choices:
#
#	LIBUV=debian      unpack Debian's or Ubuntu's package libuv1-dev and link its static archive; needs no root
#	LIBUV=system      link to the installed libuv that pkg-config names
#	LIBUV_PREFIX=/p   link to /p/include and /p/lib
#
# Without a choice the last one stays; the first time it is debian where there is apt-get, system elsewhere.
# What is there already is left alone: the second run downloads nothing. The new copy is made aside and moved into place
# when it is complete, so a failure leaves the old one.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=$here/libuv
wanted='libuv >= 1.44.2 and < 2 is needed'

die() {
	printf 'make deps: %s\n' "$1" >&2
	shift
	[ $# -eq 0 ] || printf '    %s\n' "$@" >&2
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# check_compilers looks for what every build with libuv needs.
check_compilers() {
	have go || die 'there is no go command in PATH.' 'Install Go: https://go.dev/dl/'
	cc=$(go env CC)
	have "${cc%% *}" || die "there is no C compiler ($cc)." 'sudo apt-get install gcc libc6-dev' \
		'Without one, CGO_ENABLED=0 go build ./... builds the pure-Go driver.'
	# shellcheck disable=SC2086 # CC may be a command with options
	echo '#include <pthread.h>' | $cc -E -x c - >/dev/null 2>&1 ||
		die "$cc does not find the C library's headers." 'sudo apt-get install libc6-dev'
}

# choose sets choice from the environment, from the last run, or from the machine.
choose() {
	[ -z "${LIBUV-}" ] || [ -z "${LIBUV_PREFIX-}" ] || die 'LIBUV and LIBUV_PREFIX are both set.' 'Give one of them.'
	if [ -n "${LIBUV_PREFIX-}" ]; then
		prefix=$(CDPATH='' cd -- "$LIBUV_PREFIX" 2>/dev/null && pwd) || die "LIBUV_PREFIX=$LIBUV_PREFIX is no directory."
		choice="prefix $prefix"
		return
	fi
	choice=${LIBUV-}
	[ -n "$choice" ] || choice=$(sed -n 2p "$out/VERSION" 2>/dev/null || true)
	if [ -z "$choice" ]; then
		choice=system
		! have apt-get || choice=debian
	fi
	case $choice in
	debian | system) ;;
	prefix\ *) prefix=${choice#prefix } ;;
	*) die "LIBUV=$choice is unknown." 'Say LIBUV=debian, LIBUV=system or LIBUV_PREFIX=/some/prefix.' ;;
	esac
}

# complete tells whether the copy in place is the one chosen, and whole: its links may have lost their ends.
complete() {
	[ "$(sed -n 2p "$out/VERSION" 2>/dev/null)" = "$choice" ] && [ -r "$out/include/uv.h" ] &&
		{ [ -r "$out/lib/libuv.a" ] || [ -r "$out/lib/libuv.so" ] || [ -r "$out/lib/libuv.dylib" ]; }
}

# check_version reads the version from the headers in directory $1 and refuses one that will not do. $2 says whose it is,
# $3 how to mend it.
check_version() {
	[ -r "$1/uv.h" ] && [ -r "$1/uv/version.h" ] || die "$2 has no $1/uv.h." "$3"
	version=$(sed -n -e 's/^#define UV_VERSION_M[AI][JN]OR  *\([0-9]*\).*/\1/p' \
		-e 's/^#define UV_VERSION_PATCH  *\([0-9]*\).*/\1/p' "$1/uv/version.h" | paste -s -d . -)
	minor=${version#*.}
	patch=${minor#*.}
	minor=${minor%%.*}
	[ "${version%%.*}" = 1 ] && { [ "$minor" -gt 44 ] || { [ "$minor" -eq 44 ] && [ "$patch" -ge 2 ]; }; } ||
		die "$2 is libuv $version; $wanted." "$3"
}

# download fetches the package into $tmp. Root may refresh apt's lists for that, others are told how.
download() {
	fetch='apt-get -q -o APT::Sandbox::User=root download libuv1-dev'
	! (cd "$tmp" && $fetch) >"$tmp/log" 2>&1 || return 0
	if [ "$(id -u)" -eq 0 ]; then
		echo "make deps: apt-get does not find libuv1-dev; running apt-get update" >&2
		! (apt-get -q update && cd "$tmp" && $fetch) >"$tmp/log" 2>&1 || return 0
	fi
	die "apt-get download libuv1-dev failed: $(grep '^[EW]: ' "$tmp/log" | tail -n 1)" \
		'sudo apt-get update        refreshes lists that are missing or old; then say make deps again.' \
		'make deps LIBUV=system     takes an installed libuv instead, LIBUV_PREFIX=/p one in /p.'
}

from_debian() {
	have apt-get || die 'there is no apt-get, so there is no Debian package to unpack.' \
		'Install libuv and pkg-config with the package manager of this system; then: make deps LIBUV=system'
	download
	dpkg-deb -x "$tmp"/libuv1-dev_*.deb "$tmp/deb"
	check_version "$tmp/deb/usr/include" "the package libuv1-dev of this distribution" \
		'Build a later libuv (https://libuv.org) into some /p; then: make deps LIBUV_PREFIX=/p'
	version=$(dpkg-deb -f "$tmp"/libuv1-dev_*.deb Version)
	cp -R "$tmp/deb/usr/include/." "$new/include"
	cp "$tmp"/deb/usr/lib/*/libuv*.a "$new/lib"
	[ -e "$new/lib/libuv.a" ] || ln -s libuv_a.a "$new/lib/libuv.a"
	cp "$tmp/deb/usr/share/doc/libuv1-dev/copyright" "$new/LICENSE"
}

# link_headers and link_library link single files, not directories: a whole /usr/include or /usr/lib would put all else
# that is in there before the compiler's own order.
link_headers() { ln -s "$1/uv.h" "$1/uv" "$new/include"; }

# link_library takes the first of the given files that exists, under the name that -luv looks for.
link_library() {
	for file; do
		[ -r "$file" ] || continue
		name=$(basename -- "$file")
		[ "$name" != libuv_a.a ] || name=libuv.a
		ln -s "$file" "$new/lib/$name"
		return
	done
	return 1
}

from_system() {
	mend='sudo apt-get install pkg-config libuv1-dev   (or dnf install pkgconf libuv-devel, brew install pkgconf libuv)'
	have pkg-config || die 'there is no pkg-config.' "$mend"
	pkg-config --exists libuv || die 'pkg-config does not know libuv.' "$mend"
	pkg-config --atleast-version=1.44.2 libuv ||
		die "the installed libuv is $(pkg-config --modversion libuv); $wanted." \
			'make deps LIBUV=debian or LIBUV_PREFIX=/p takes another one.'
	include=$(pkg-config --variable=includedir libuv)
	lib=$(pkg-config --variable=libdir libuv)
	check_version "$include" 'what pkg-config calls libuv' "$mend"
	link_headers "$include"
	# The shared library first: its updates are why one takes the system's.
	link_library "$lib/libuv.so" "$lib/libuv.dylib" "$lib/libuv.a" "$lib/libuv_a.a" || die "there is no libuv in $lib." "$mend"
}

from_prefix() {
	check_version "$prefix/include" "$prefix" 'LIBUV_PREFIX is the directory that holds include/uv.h and lib/libuv.a.'
	link_headers "$prefix/include"
	# The archive first: a program need not find it again when it starts.
	for lib in "$prefix"/lib "$prefix"/lib64 "$prefix"/lib/*-*; do
		! link_library "$lib/libuv.a" "$lib/libuv_a.a" || return 0
	done
	for lib in "$prefix"/lib "$prefix"/lib64 "$prefix"/lib/*-*; do
		link_library "$lib/libuv.so" "$lib/libuv.dylib" || continue
		echo "make deps: only a shared libuv in $lib; programs may need LD_LIBRARY_PATH=$lib to start" >&2
		return 0
	done
	die "there is neither libuv.a nor libuv.so in $prefix/lib." 'Install libuv there: cmake --install ... --prefix, or make install.'
}

check_compilers
choose
! complete || exit 0

tmp=$(mktemp -d "$here/.libuv.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
new=$tmp/new
mkdir -p "$new/include" "$new/lib"
"from_${choice%% *}"
printf '%s\n' "$version" "$choice" >"$new/VERSION"

if [ -f "$out/VERSION" ] && ! cmp -s "$new/VERSION" "$out/VERSION"; then
	echo "make deps: libuv changes; Go's build cache does not see that. Say: go clean -cache" >&2
fi
rm -rf -- "$out"
mv "$new" "$out"
echo "libuv $version ($choice) is in third_party/libuv"
