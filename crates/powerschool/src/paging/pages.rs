//! Answers and pages: asking for one, and reading it as it arrives.

use std::sync::Arc;

use reqwest::Response;
use tokio::sync::mpsc;

use super::{BATCH, Batch, Lessons, rows::RowReader};
use crate::{
    deltas::DataVersion,
    error::Error,
    fingerprint::Fingerprinting,
    pace::InFlight,
    records::RecordSplitter,
    roster::RosterRow,
    transport::{Call, Shared},
};

/// Something that answers in pages. Owned, so that pages can be read by tasks of their own.
pub(super) struct Pages {
    /// The request, without its page.
    pub(super) call: Call,
    /// What is read, for messages.
    pub(super) source: &'static str,
    /// The columns the first record has to have.
    pub(super) columns: Vec<&'static str>,
    pub(super) transport: Shared,
    pub(super) lessons: Arc<Lessons>,
}

impl Pages {
    /// Reads one page, numbered from 1; asked for again when that may help.
    pub(super) async fn read<R: RosterRow>(&self, number: u64, size: u64) -> Result<Page<R>, Error> {
        let call = self.call.clone().with("page", number).with("pagesize", size);
        self.transport
            .repeating(|| async {
                let turn = self.lessons.gate.enter().await;
                let read = self.read_once(&call, (number - 1) * size, size, &turn).await;
                match &read {
                    Err(Error::Busy { retry_after, .. }) => turn.overloaded(*retry_after),
                    Err(Error::Timeout { .. }) => turn.overloaded(None),
                    _ => {}
                }
                read
            })
            .await
    }

    async fn read_once<R: RosterRow>(
        &self,
        call: &Call,
        first_record: u64,
        size: u64,
        turn: &InFlight<'_>,
    ) -> Result<Page<R>, Error> {
        let response = self.transport.ask_streaming_once(call).await?;
        turn.answered();
        let mut reader = RowReader::new(self.source);
        reader.first_record = first_record;
        reader.most = size;
        if first_record == 0 {
            reader.wanted.clone_from(&self.columns);
        }
        let answer = stream(&self.transport, &call.path, response, &mut reader, None, None).await?;
        let RowReader { rows, records, absent, .. } = reader;
        Ok(Page { rows, records, absent, bytes: answer.bytes, version: answer.version })
    }
}

/// Reads an answer as it arrives, and takes its fingerprint if wanted. With a sink, full batches go there; without one
/// the rows stay with the reader.
pub(super) async fn stream<R: RosterRow>(
    transport: &Shared,
    path: &str,
    response: Response,
    reader: &mut RowReader<R>,
    sink: Option<&mpsc::Sender<Batch<R>>>,
    mut fingerprint: Option<&mut Fingerprinting>,
) -> Result<Answer, Error> {
    let mut splitter = RecordSplitter::new();
    let mut body = response.bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = transport.next_chunk(&mut body).await? {
        bytes += chunk.len() as u64;
        if let Some(fingerprint) = &mut fingerprint {
            fingerprint.push(&chunk);
        }
        splitter.push(&chunk, reader).map_err(|broken| broken.into_error(path))?;
        if let Some(sink) = sink {
            reader.hand_over(sink, BATCH).await?;
        }
    }
    splitter.finish().map_err(|problem| Error::unexpected(path, problem))?;
    Ok(Answer { bytes, version: splitter.data_version() })
}

/// An answer besides its rows.
pub(super) struct Answer {
    bytes: u64,
    version: Option<u64>,
}

/// What several answers sum up to.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    pub(super) answers: u64,
    versioned: u64,
    /// The oldest version among the answers: what changed later comes once more.
    oldest: Option<u64>,
    pub(super) absent: Vec<&'static str>,
}

impl Tally {
    pub(super) fn add_answer(&mut self, answer: &Answer) {
        self.bytes += answer.bytes;
        self.answers += 1;
        if let Some(version) = answer.version {
            self.versioned += 1;
            self.oldest = Some(self.oldest.map_or(version, |oldest| oldest.min(version)));
        }
    }

    pub(super) fn add<R>(&mut self, page: &Page<R>) {
        self.add_answer(&Answer { bytes: page.bytes, version: page.version });
        self.absent.extend_from_slice(&page.absent);
    }

    /// The version that every answer is of at least.
    pub(super) fn version(&self) -> Option<DataVersion> {
        self.oldest.filter(|_| self.versioned == self.answers).map(DataVersion)
    }
}

/// A page's rows.
pub(super) struct Page<R> {
    pub(super) rows: Vec<R>,
    /// Rows with those that come twice.
    pub(super) records: u64,
    bytes: u64,
    pub(super) version: Option<u64>,
    absent: Vec<&'static str>,
}
