//! Times the operations of tokio's current-thread runtime: tokio-loops SECONDS
//!
//! The operations, and how they are timed, are those of the Go programs in the folders
//! beside this one: an operation is done n times, n doubling from a thousand until it took
//! SECONDS of CPU time; the last run counts. tokio has no callbacks: a call from another
//! thread is a task that another thread spawns.

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{spawn, yield_now};
use tokio::time::sleep;

const BATCH: usize = 1000;

/// What getrusage says, as far as it is used.
#[repr(C)]
struct Usage {
    user: [i64; 2],
    system: [i64; 2],
    rest: [i64; 14],
}

extern "C" {
    fn getrusage(who: i32, usage: *mut Usage) -> i32;
}

/// The CPU time of the process in seconds.
fn cpu_time() -> f64 {
    let mut usage = Usage { user: [0; 2], system: [0; 2], rest: [0; 14] };
    unsafe { getrusage(0, &mut usage) };
    (usage.user[0] + usage.system[0]) as f64 + (usage.user[1] + usage.system[1]) as f64 / 1e6
}

async fn one() -> i32 {
    1
}

async fn timers(n: usize) {
    for _ in 0..n {
        let mut timer = pin!(sleep(Duration::from_secs(3600)));
        poll_fn(|cx| {
            assert!(timer.as_mut().poll(cx).is_pending()); // a timer is set when it is first polled
            Poll::Ready(())
        })
        .await;
    }
}

async fn yields(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

async fn spawns(n: usize) {
    for _ in 0..n {
        spawn(one()).await.unwrap();
    }
}

async fn gather(n: usize) {
    for _ in 0..n / BATCH {
        let tasks: Vec<_> = (0..BATCH).map(|_| spawn(one())).collect();
        let mut values = Vec::with_capacity(BATCH);
        for task in tasks {
            values.push(task.await.unwrap());
        }
    }
}

/// Lets another thread make the calls. After each batch it waits until the runtime has run it.
fn threadsafe(runtime: &Runtime, n: usize) {
    let handle = runtime.handle().clone();
    let (finish, mut finished) = tokio::sync::oneshot::channel();
    let caller = std::thread::spawn(move || {
        let (say, ran) = channel();
        for _ in 0..n / BATCH {
            for _ in 0..BATCH - 1 {
                handle.spawn(async {});
            }
            let say = say.clone();
            handle.spawn(async move { say.send(()).unwrap() });
            ran.recv().unwrap();
        }
        finish.send(()).unwrap();
    });
    runtime.block_on(async { (&mut finished).await.unwrap() });
    caller.join().unwrap();
}

fn ns_per_operation(run: &dyn Fn(usize), seconds: f64) -> f64 {
    let mut n = BATCH;
    loop {
        let begin = cpu_time();
        run(n);
        let took = cpu_time() - begin;
        if took >= seconds {
            return took * 1e9 / n as f64;
        }
        n *= 2;
    }
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).expect("usage: tokio-loops SECONDS");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_task = |f: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| runtime.block_on(async { spawn(f).await.unwrap() });
    let works: [(&str, &dyn Fn(usize)); 5] = [
        ("call_later and cancel", &|n| in_task(Box::pin(timers(n)))),
        ("sleep(0)", &|n| in_task(Box::pin(yields(n)))),
        ("create_task and await", &|n| in_task(Box::pin(spawns(n)))),
        ("gather of 1,000, each", &|n| in_task(Box::pin(gather(n)))),
        ("call_soon_threadsafe", &|n| threadsafe(&runtime, n)),
    ];
    let costs: Vec<_> = works.iter().map(|(name, run)| format!("\"{name}\":{}", ns_per_operation(run, seconds))).collect();
    println!("{{{}}}", costs.join(","));
}
