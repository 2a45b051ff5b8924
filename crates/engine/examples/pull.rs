//! One pull of STUDENTS and CC into a new encrypted roster, as a process of its own, so that a bench can take its time
//! and its memory: `pull URL CLIENT_ID AUTHORITY.pem FOLDER YEARID`, with the Client Secret on standard input.
//!
//! Both tables are read at the same time and their rows inserted on a thread of their own, as a run does it. On
//! standard output comes one JSON document: rows by table, and the bytes of the answers.
#![expect(clippy::print_stdout, reason = "this program's result")]

use std::{env, error::Error, fs, path::Path};

use chrono::Utc;
use rosterbridge_domain::{
    id::YearId,
    roster::{Enrollment, Student},
};
use rosterbridge_powerschool::{
    Batch, Client, ClientId, Connection, Proxy, PullScope, RosterRow, ServerUrl, Timeouts,
};
use rosterbridge_store::{
    RosterStaging, StoreError,
    roster::{RosterMeta, RosterTable},
};
use serde_json::json;
use tokio::sync::mpsc;

/// Batches of both tables on their way to the database.
const BATCHES_IN_FLIGHT: usize = 4;

type Insert = Box<dyn FnOnce(&mut RosterStaging) -> Result<(), StoreError> + Send>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, client_id, authority, folder, year] = arguments.as_slice() else {
        return Err("usage: pull URL CLIENT_ID AUTHORITY.pem FOLDER YEARID".into());
    };
    let mut secret = String::new();
    std::io::stdin().read_line(&mut secret)?;
    let client = Client::new(Connection {
        url: ServerUrl::parse(url)?,
        client_id: ClientId::parse(client_id)?,
        client_secret: secret.trim().into(),
        extra_roots: vec![fs::read_to_string(authority)?],
        proxy: Proxy::default(),
        timeouts: Timeouts::default(),
    })?;
    let scope = PullScope { years: vec![YearId::new(year.parse()?)], ..PullScope::every_year() };

    let mut key = [0; 32];
    key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    let mut staging = RosterStaging::create(Path::new(folder), &key)?;
    let (inserts, mut waiting) = mpsc::channel::<Insert>(BATCHES_IN_FLIGHT);
    let inserting = tokio::task::spawn_blocking(move || {
        while let Some(insert) = waiting.blocking_recv() {
            insert(&mut staging)?;
        }
        Ok::<_, StoreError>(staging)
    });
    let enrollments = table::<Enrollment>(&client, &scope, inserts.clone());
    let students = table::<Student>(&client, &scope, inserts);
    let (enrollments, students) = tokio::try_join!(enrollments, students)?;
    let staging = inserting.await??;
    let meta = RosterMeta { pulled_at: Utc::now(), today: Utc::now().date_naive(), years: scope.years };
    let roster = tokio::task::spawn_blocking(move || staging.finish(meta)).await??;
    println!(
        "{}",
        json!({
            "students": roster.counts().students,
            "enrollments": roster.counts().enrollments,
            "bytes": students + enrollments,
        })
    );
    Ok(())
}

/// Reads one table and passes its batches on; the bytes of its answers.
async fn table<R: RosterRow + RosterTable>(
    client: &Client,
    scope: &PullScope,
    inserts: mpsc::Sender<Insert>,
) -> Result<u64, Box<dyn Error>> {
    let (sink, mut batches) = mpsc::channel::<Batch<R>>(1);
    let pulling = async { Ok::<_, Box<dyn Error>>(client.pull::<R>(scope, sink).await?) };
    let passing = async {
        while let Some(batch) = batches.recv().await {
            // Nothing of a table may come twice into a database that refuses it.
            let Batch::Rows(rows) = batch else { return Err("the server sent no whole answer".into()) };
            let insert: Insert = Box::new(move |staging| staging.insert(&rows));
            inserts.send(insert).await.map_err(|_| "the database refused a batch")?;
        }
        Ok(())
    };
    let (pulled, ()) = tokio::try_join!(pulling, passing)?;
    Ok(pulled.bytes)
}
