// Echo on Boost.Asio: echo_asio PLACE. PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket.
// Each connection is a chain of completion handlers on one io_context, which is told that one thread runs it. Its buffer
// begins with 512 bytes and doubles when a read has filled it, to 64 KiB, as that of the other servers with a buffer each.
// SIGUSR1 gives free memory back to the system and says "freed" on stdout.
#include <boost/asio.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <malloc.h>
#include <memory>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t buffer_bytes_min = 512, buffer_bytes_max = 64 * 1024;
constexpr int backlog = 4096;

static void set_no_delay(asio::ip::tcp::socket &s) { s.set_option(asio::ip::tcp::no_delay(true)); }
static void set_no_delay(asio::local::stream_protocol::socket &) {}

template <typename Protocol> struct connection : std::enable_shared_from_this<connection<Protocol>> {
	typename Protocol::socket socket;
	std::vector<char> buffer;

	explicit connection(typename Protocol::socket s) : socket(std::move(s)), buffer(buffer_bytes_min) {}

	void read() {
		socket.async_read_some(asio::buffer(buffer), [self = this->shared_from_this()](error_code err, std::size_t n) {
			if (!err)
				self->write(n);
		});
	}

	void write(std::size_t n) {
		asio::async_write(socket, asio::buffer(buffer, n), [self = this->shared_from_this(), n](error_code err, std::size_t) {
			if (err)
				return;
			if (n == self->buffer.size() && n < buffer_bytes_max)
				self->buffer.resize(2 * n);
			self->read();
		});
	}
};

template <typename Protocol> struct server {
	typename Protocol::acceptor acceptor;

	server(asio::io_context &context, const typename Protocol::endpoint &place) : acceptor(context) {
		acceptor.open(place.protocol());
		acceptor.set_option(asio::socket_base::reuse_address(true));
		acceptor.bind(place);
		acceptor.listen(backlog);
		accept();
	}

	void accept() {
		acceptor.async_accept([this](error_code err, typename Protocol::socket socket) {
			if (!err) {
				set_no_delay(socket);
				std::make_shared<connection<Protocol>>(std::move(socket))->read();
			}
			accept();
		});
	}
};

static void free_memory(asio::signal_set &signals) {
	signals.async_wait([&signals](error_code err, int) {
		if (err)
			return;
		malloc_trim(0);
		std::puts("freed");
		std::fflush(stdout);
		free_memory(signals);
	});
}

template <typename Protocol> static void run(const typename Protocol::endpoint &place) {
	asio::io_context context(1);
	asio::signal_set signals(context, SIGUSR1);
	free_memory(signals);
	server<Protocol> serves(context, place);
	context.run();
}

int main(int argc, char **argv) {
	if (argc != 2) {
		std::fprintf(stderr, "usage: echo_asio PLACE\n");
		return 1;
	}
	try {
		if (std::strchr(argv[1], '/') != nullptr)
			run<asio::local::stream_protocol>(asio::local::stream_protocol::endpoint(argv[1]));
		else
			run<asio::ip::tcp>(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[1]))));
	} catch (const std::exception &err) {
		std::fprintf(stderr, "echo_asio: %s\n", err.what());
		return 1;
	}
}
