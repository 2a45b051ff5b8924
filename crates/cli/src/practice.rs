//! `practice serve`: the practice district, standing alone, with our own plugin installed.

use rosterbridge_api::{Fault, domain::job::Job};
use rosterbridge_practice::{AttendanceMode, ServeOptions};
use serde_json::Value;

use crate::{
    args::{Attendance, Serve},
    document::Document,
    stop,
};

/// The plugin an administrator installs, which the practice district has installed too.
pub fn plugin() -> Result<Vec<u8>, Fault> {
    rosterbridge_powerschool::plugin::build(&Job::ALL, 0).map_err(|error| Fault {
        code: error.code().to_owned(),
        message: error.to_string(),
        remedy: error.remedy().to_string(),
    })
}

/// Serves until Ctrl-C or a termination signal.
pub async fn serve(serve: Serve, json: bool) -> Result<Document, Fault> {
    let options = ServeOptions {
        students: serve.students,
        schools: serve.schools,
        hero_accounts: serve.hero_accounts,
        seed: serve.seed,
        date: serve.date,
        data: serve.data,
        tardies: serve.tardies,
        latency_ms: serve.latency_ms,
        prerender: serve.prerender,
        attendance: match serve.attendance {
            Attendance::Upsert => AttendanceMode::Upsert,
            Attendance::Insert => AttendanceMode::Insert,
        },
        ready_file: serve.ready_file,
        plugin: Some(plugin()?),
        ..ServeOptions::default()
    };
    if !json {
        announce();
    }
    let stop = async {
        tokio::select! {
            () = stop::asked() => {}
            () = stdin_closed(), if serve.until_stdin_closes => {}
        }
    };
    rosterbridge_practice::serve(options, stop).await.map_err(|error| Fault {
        code: error.code().to_owned(),
        message: error.to_string(),
        remedy: error.remedy().to_string(),
    })?;
    Ok(Document::done("The practice district has stopped.", Value::Null))
}

#[allow(clippy::print_stderr)]
fn announce() {
    eprintln!("The practice district starts. Stop it with Ctrl-C.");
}

/// Resolves when standard input ends.
async fn stdin_closed() {
    let (closed, end) = tokio::sync::oneshot::channel();
    // A thread of its own: a blocking read in the runtime's pool would keep the process from ending.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let _ = end.await;
}
