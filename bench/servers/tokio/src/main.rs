//! Servers on tokio's current-thread runtime, with a task for each connection:
//!
//!     tokio-servers PLACE stream|datagram|file [FILE]
//!
//! PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket.
//! `stream` and `datagram` send back what comes, `file` answers every byte with FILE.
//! SIGUSR1 gives free memory back to the system and says "freed".

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::io::AsRawFd;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixListener};
use tokio::signal::unix::{signal, SignalKind};

/// A connection's buffer begins with the least and grows to the most, as in the Go servers.
const BUFFER_BYTES_MIN: usize = 512;
const BUFFER_BYTES_MAX: usize = 64 << 10;

const BACKLOG: u32 = 4096;

extern "C" {
    fn malloc_trim(pad: usize) -> i32;
    fn sendfile(to: i32, from: i32, offset: *mut i64, count: usize) -> isize;
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        tokio::spawn(free_on_signal());
        match args[..] {
            [path, "stream"] if path.contains('/') => serve_unix(path).await,
            [port, "stream"] => serve_tcp(port).await,
            [port, "datagram"] => serve_udp(port).await,
            [port, "file", name] => serve_file(port, name).await,
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: tokio-servers PLACE stream|datagram|file [FILE]")),
        }
    })
}

async fn free_on_signal() -> io::Result<()> {
    let mut usr1 = signal(SignalKind::user_defined1())?;
    while usr1.recv().await.is_some() {
        unsafe { malloc_trim(0) };
        println!("freed");
        io::stdout().flush()?;
    }
    Ok(())
}

fn address(port: &str) -> io::Result<std::net::SocketAddr> {
    let port = port.parse().map_err(|err| io::Error::new(io::ErrorKind::InvalidInput, err))?;
    Ok(([127, 0, 0, 1], port).into())
}

fn listen(port: &str) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address(port)?)?;
    socket.listen(BACKLOG)
}

async fn serve_tcp(port: &str) -> io::Result<()> {
    let listener = listen(port)?;
    loop {
        let (conn, _) = listener.accept().await?;
        conn.set_nodelay(true)?;
        tokio::spawn(echo(conn));
    }
}

async fn serve_unix(path: &str) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    loop {
        let (conn, _) = listener.accept().await?;
        tokio::spawn(echo(conn));
    }
}

/// Ends with the connection, whether the peer closes it or resets it.
async fn echo<C: AsyncRead + AsyncWrite + Unpin>(mut conn: C) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES_MIN];
    loop {
        let n = conn.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..n]).await?;
        if n == buffer.len() && n < BUFFER_BYTES_MAX {
            buffer = vec![0; 2 * n];
        }
    }
}

async fn serve_udp(port: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(address(port)?).await?;
    let mut buffer = vec![0; BUFFER_BYTES_MAX];
    loop {
        let (n, peer) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], peer).await?;
    }
}

async fn serve_file(port: &str, name: &str) -> io::Result<()> {
    let listener = listen(port)?;
    loop {
        let (conn, _) = listener.accept().await?;
        conn.set_nodelay(true)?;
        tokio::spawn(answer_with(conn, File::open(name)?));
    }
}

async fn answer_with(mut conn: TcpStream, file: File) -> io::Result<()> {
    let size = file.metadata()?.len() as i64;
    while conn.read_u8().await.is_ok() {
        let mut offset = 0;
        while offset < size {
            conn.writable().await?;
            let sent = conn.try_io(Interest::WRITABLE, || {
                match unsafe { sendfile(conn.as_raw_fd(), file.as_raw_fd(), &mut offset, (size - offset) as usize) } {
                    n if n < 0 => Err(io::Error::last_os_error()),
                    n => Ok(n),
                }
            });
            match sent {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()), // the file was cut short
                Err(err) if err.kind() != io::ErrorKind::WouldBlock => return Err(err),
                _ => {}
            }
        }
    }
    Ok(())
}
