// Times the operations of Boost.Asio's io_context: asio SECONDS
//
// The operations, and how they are timed, are those of the Go programs in the folders beside this file: an operation is done
// n times, n doubling from a thousand until it took SECONDS of CPU time; the last run counts. Tasks are C++20's coroutines.
#include <boost/asio.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <sys/resource.h>
#include <thread>

namespace asio = boost::asio;
using asio::awaitable, asio::use_awaitable;

constexpr long batch = 1000;

static void nothing() {}

// Calls act n times, in callbacks of a batch each; the next begins when what this one has scheduled has run.
static void in_callbacks(asio::io_context &io, long n, const std::function<void()> &act)
{
	std::function<void()> next = [&] {
		if (n == 0)
			return;
		for (long i = 0; i < batch; i++)
			act();
		n -= batch;
		asio::post(io, [&next] { next(); });
	};
	asio::post(io, [&next] { next(); });
	io.run();
	io.restart();
}

static void timers(asio::io_context &io, long n)
{
	in_callbacks(io, n, [&io] {
		asio::steady_timer timer(io, std::chrono::hours(1));
		timer.async_wait([](boost::system::error_code) {});
		timer.cancel();
	});
}

static awaitable<int> one() { co_return 1; }

static awaitable<void> yields(asio::io_context &io, long n)
{
	for (long i = 0; i < n; i++)
		co_await asio::post(io, use_awaitable);
}

static awaitable<void> spawns(asio::io_context &io, long n)
{
	for (long i = 0; i < n; i++)
		co_await asio::co_spawn(io, one(), use_awaitable);
}

static void in_task(asio::io_context &io, awaitable<void> task)
{
	asio::co_spawn(io, std::move(task), asio::detached);
	io.run();
	io.restart();
}

// Lets another thread make the calls. After each batch it waits until the loop has run it.
static void threadsafe(asio::io_context &io, long n)
{
	auto work = asio::make_work_guard(io);
	std::thread caller([&] {
		for (long i = 0; i < n; i += batch) {
			for (long j = 0; j < batch - 1; j++)
				asio::post(io, nothing);
			std::promise<void> ran;
			asio::post(io, [&ran] { ran.set_value(); });
			ran.get_future().wait();
		}
		work.reset();
	});
	io.run();
	io.restart();
	caller.join();
}

static double cpu_seconds()
{
	rusage u;
	getrusage(RUSAGE_SELF, &u);
	return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + double(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double ns_per_operation(const std::function<void(long)> &act, double seconds)
{
	for (long n = batch;; n *= 2) {
		double begin = cpu_seconds();
		act(n);
		double took = cpu_seconds() - begin;
		if (took >= seconds)
			return took * 1e9 / double(n);
	}
}

int main(int argc, char **argv)
{
	double seconds = argc == 2 ? std::atof(argv[1]) : 0;
	if (seconds <= 0) {
		std::fprintf(stderr, "usage: %s SECONDS\n", argv[0]);
		return 1;
	}
	asio::io_context io;
	struct {
		const char *name;
		std::function<void(long)> act;
	} works[] = {
		{"call_soon", [&](long n) { in_callbacks(io, n, [&io] { asio::post(io, nothing); }); }},
		{"call_later and cancel", [&](long n) { timers(io, n); }},
		{"sleep(0)", [&](long n) { in_task(io, yields(io, n)); }},
		{"create_task and await", [&](long n) { in_task(io, spawns(io, n)); }},
		{"call_soon_threadsafe", [&](long n) { threadsafe(io, n); }},
	};
	const char *before = "{";
	for (auto &w : works) {
		std::printf("%s\"%s\":%g", before, w.name, ns_per_operation(w.act, seconds));
		before = ",";
	}
	std::puts("}");
}
