#!/bin/sh
# build.sh OUTPUT [FLAG...] compiles the harness and the bridge, with the flags given, into OUTPUT.
set -e
out=$1
shift
cd "$(dirname "$0")"
libuv=../../third_party/libuv
[ "$(uname)" != Linux ] || set -- "$@" -Wl,--wrap=epoll_ctl,--wrap=accept4,--wrap=pthread_create,--wrap=getaddrinfo,--wrap=fork,--wrap=sigaction,--wrap=inotify_init1,--wrap=inotify_add_watch
exec ${CC:-cc} -std=gnu11 -g -Wall -Wextra -Werror -fno-strict-aliasing -DBRIDGE_DEBUG -I"$libuv/include" "$@" \
	-o "$out" *.c ../*.c -L"$libuv/lib" -luv -lpthread -ldl -lrt
