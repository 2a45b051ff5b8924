//! Writing attendance, and telling what became of each record.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::NaiveDate;
use futures_util::{StreamExt, stream};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceMode, AttendanceWrite},
    id::{AttendanceDcid, SchoolNumber, StudentId},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{AnswerProblem, Error},
    json as shapes,
    transport::{Call, Certainty, Failure, Transport},
};

/// PowerSchool takes at most this many records in one batch.
const BATCH_LIMIT: usize = 200;

/// Writes on their way at the same time.
const IN_FLIGHT: usize = 8;

/// After this many requests in a row without an answer in time, nothing more is sent.
const SILENT_REQUESTS: usize = 8;

const DAILY: &str = "/ws/attendance/daily_time";
const DAILY_BATCH: &str = "/ws/attendance/batch_daily_time";
const MEETING: &str = "/ws/attendance/meeting_interval";

/// What became of one attendance record.
#[derive(Debug)]
pub enum WriteAnswer {
    /// PowerSchool confirmed it.
    Written,
    /// PowerSchool refused this record, for a reason of its own.
    Refused {
        /// The field it objects to, where it names one.
        field: Option<String>,
        /// PowerSchool's code.
        code: Option<String>,
        /// PowerSchool's words.
        description: Option<String>,
    },
    /// It was certainly not applied.
    NotSent(Error),
    /// It may have been applied: read it back before anything else is done with it.
    Unclear(Error),
}

/// What this client has learnt about the server's attendance resources.
#[derive(Debug, Default)]
pub(crate) struct Capabilities {
    /// The batch does not exist (before 25.3), or one was refused as a whole: daily records go singly.
    daily_singly: AtomicBool,
    /// A request with several meetings was refused as a whole: meetings go singly.
    meetings_singly: AtomicBool,
}

/// Records that may be sent together: places in the list of writes.
#[derive(Debug)]
struct Request {
    resource: &'static str,
    places: Vec<usize>,
}

pub(crate) async fn write(
    transport: &Transport,
    capabilities: &Capabilities,
    writes: &[AttendanceWrite],
) -> Vec<WriteAnswer> {
    let mut answers: Vec<Option<WriteAnswer>> = writes.iter().map(|_| None).collect();
    let silent = AtomicUsize::new(0);
    for round in rounds(writes) {
        // Records of a round are of different students, days or meetings: their order does not matter.
        let mut waiting = requests(writes, &round, capabilities);
        while !waiting.is_empty() {
            let sent: Vec<(Request, Sent)> = stream::iter(waiting)
                .map(|request| async {
                    // A server that hangs would let each of them wait its full time, one after the other.
                    if silent.load(Ordering::Relaxed) >= SILENT_REQUESTS {
                        let sent = request.places.iter().map(|_| WriteAnswer::NotSent(transport.no_answer()));
                        let sent = Sent::Answered(sent.collect());
                        return (request, sent);
                    }
                    let sent = send(transport, capabilities, writes, &request).await;
                    if sent.is_silence() {
                        silent.fetch_add(1, Ordering::Relaxed);
                    } else {
                        silent.store(0, Ordering::Relaxed);
                    }
                    (request, sent)
                })
                .buffer_unordered(IN_FLIGHT)
                .collect()
                .await;
            let mut again = Vec::new();
            for (request, sent) in sent {
                match sent {
                    Sent::Answered(of_records) => {
                        for (place, answer) in request.places.into_iter().zip(of_records) {
                            answers[place] = Some(answer);
                        }
                    }
                    Sent::NoBatch => again.extend(request.places),
                }
            }
            waiting = requests(writes, &again, capabilities);
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or(WriteAnswer::NotSent(Error::Stopped))).collect()
}

/// Groups writes so that records of one student and day which must follow one another are in different rounds.
fn rounds(writes: &[AttendanceWrite]) -> Vec<Vec<usize>> {
    struct Lane {
        round: usize,
        mode: AttendanceMode,
        school: SchoolNumber,
        keys: HashSet<AttendanceKey>,
    }

    let mut lanes: HashMap<(StudentId, NaiveDate), Lane> = HashMap::new();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (place, write) in writes.iter().enumerate() {
        let key = write.key;
        let fresh = |round| Lane { round, mode: key.mode(), school: key.school, keys: HashSet::new() };
        let lane = lanes.entry((key.student, key.date)).or_insert_with(|| fresh(0));
        if lane.mode != key.mode() || lane.school != key.school || lane.keys.contains(&key) {
            *lane = fresh(lane.round + 1);
        }
        lane.keys.insert(key);
        if rounds.len() <= lane.round {
            rounds.resize_with(lane.round + 1, Vec::new);
        }
        rounds[lane.round].push(place);
    }
    rounds
}

/// Puts records of one round into requests as PowerSchool takes them.
fn requests(writes: &[AttendanceWrite], round: &[usize], capabilities: &Capabilities) -> Vec<Request> {
    let mut daily = Vec::new();
    let mut meetings: HashMap<(StudentId, NaiveDate, SchoolNumber), usize> = HashMap::new();
    let mut requests: Vec<Request> = Vec::new();
    let meetings_singly = capabilities.meetings_singly.load(Ordering::Relaxed);
    for &place in round {
        let key = writes[place].key;
        match key.mode() {
            AttendanceMode::Daily => daily.push(place),
            AttendanceMode::Meeting => {
                // PowerSchool: several records, but of one student on one day.
                let of_student = (key.student, key.date, key.school);
                match meetings.get(&of_student) {
                    Some(&request) if !meetings_singly => requests[request].places.push(place),
                    _ => {
                        meetings.insert(of_student, requests.len());
                        requests.push(Request { resource: MEETING, places: vec![place] });
                    }
                }
            }
        }
    }
    if capabilities.daily_singly.load(Ordering::Relaxed) {
        requests.extend(daily.into_iter().map(|place| Request { resource: DAILY, places: vec![place] }));
    } else {
        requests.extend(
            daily
                .chunks(BATCH_LIMIT)
                .map(|places| Request { resource: DAILY_BATCH, places: places.to_vec() }),
        );
    }
    requests
}

/// What became of a request.
enum Sent {
    /// One answer for each of its records.
    Answered(Vec<WriteAnswer>),
    /// The server has no batch resource; nothing was applied.
    NoBatch,
}

impl Sent {
    /// Whether no answer came in time.
    fn is_silence(&self) -> bool {
        let Self::Answered(answers) = self else { return false };
        answers.iter().all(|answer| {
            matches!(
                answer,
                WriteAnswer::NotSent(Error::Timeout { .. }) | WriteAnswer::Unclear(Error::Timeout { .. })
            )
        })
    }
}

async fn send(
    transport: &Transport,
    capabilities: &Capabilities,
    writes: &[AttendanceWrite],
    request: &Request,
) -> Sent {
    let records: Vec<Record<'_>> =
        request.places.iter().enumerate().map(|(uid, &place)| Record::of(uid, &writes[place])).collect();
    let count = records.len();
    let call = Call::post(request.resource, Body { name: ATTENDANCE, record: records });
    match transport.write_once::<Answer>(&call).await {
        Ok(answer) => Sent::Answered(answer.of_records(request.resource, count)),
        Err(failure) if is_missing(&failure) && request.resource == DAILY_BATCH => {
            capabilities.daily_singly.store(true, Ordering::Relaxed);
            Sent::NoBatch
        }
        Err(failure) if is_missing(&failure) => {
            // PowerSchool has the attendance resources since 9.0.
            Sent::Answered(
                (0..count).map(|_| WriteAnswer::NotSent(Error::TooOld { version: None })).collect(),
            )
        }
        Err(failure) => {
            let refused =
                matches!(failure.error, Error::UnexpectedAnswer { problem: AnswerProblem::Refused(_), .. });
            // A server that breaks over one record breaks over every batch that holds it.
            let broke = matches!(
                failure.error,
                Error::UnexpectedAnswer { problem: AnswerProblem::Status(500..), .. }
            );
            if (refused || broke) && count > 1 {
                let singly = if request.resource == MEETING {
                    &capabilities.meetings_singly
                } else {
                    &capabilities.daily_singly
                };
                singly.store(true, Ordering::Relaxed);
            }
            Sent::Answered(spread(failure, count, refused))
        }
    }
}

/// The same failure for every record of a request.
fn spread(failure: Failure, count: usize, refused: bool) -> Vec<WriteAnswer> {
    let certainty = if refused && count > 1 { Certainty::Unknown } else { failure.certainty };
    let wrap = |error| match certainty {
        Certainty::NotApplied => WriteAnswer::NotSent(error),
        Certainty::Unknown => WriteAnswer::Unclear(error),
    };
    match failure.error {
        Error::UnexpectedAnswer { problem: AnswerProblem::Refused(reason), .. } if count == 1 => {
            vec![WriteAnswer::Refused { field: None, code: None, description: Some(reason) }]
        }
        error => (0..count).map(|_| wrap(error.clone())).collect(),
    }
}

fn is_missing(failure: &Failure) -> bool {
    matches!(failure.error, Error::UnexpectedAnswer { problem: AnswerProblem::Status(404), .. })
}

/// What resources and records are called.
const ATTENDANCE: &str = "ATTENDANCE";

/// A request's body.
#[derive(Serialize)]
struct Body<'a> {
    name: &'static str,
    record: Vec<Record<'a>>,
}

#[derive(Serialize)]
struct Record<'a> {
    name: &'static str,
    /// Its number in the request, which its result names.
    client_uid: String,
    tables: Tables<'a>,
}

#[derive(Serialize)]
struct Tables<'a> {
    attendance: Columns<'a>,
}

/// The columns of one record (PowerSchool: all of them are required for their mode).
#[derive(Serialize)]
struct Columns<'a> {
    studentid: i64,
    schoolid: i64,
    yearid: i64,
    att_date: String,
    att_mode_code: &'static str,
    attendance_codeid: i64,
    calendar_dayid: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    att_comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ccid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    periodid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dcid: Option<i64>,
}

impl<'a> Record<'a> {
    fn of(uid: usize, write: &'a AttendanceWrite) -> Self {
        let key = &write.key;
        // An empty one takes the place of one that is there only where that is meant.
        let clears =
            write.replaces.is_some() && write.previous_comment.as_ref().is_some_and(|one| !one.is_empty());
        let attendance = Columns {
            studentid: key.student.get(),
            schoolid: key.school.get(),
            yearid: write.year.get(),
            att_date: key.date.to_string(),
            att_mode_code: key.mode().code(),
            attendance_codeid: write.code_id.get(),
            calendar_dayid: write.calendar_day.get(),
            att_comment: (!write.comment.is_empty() || clears).then_some(write.comment.as_str()),
            ccid: key.meeting.map(|meeting| meeting.cc.get()),
            periodid: key.meeting.map(|meeting| meeting.period.get()),
            start_time: write.times.map(|times| times.start),
            end_time: write.times.map(|times| times.end),
            dcid: write.replaces.map(AttendanceDcid::get),
        };
        Self { name: ATTENDANCE, client_uid: uid.to_string(), tables: Tables { attendance } }
    }
}

/// PowerSchool's answer to a write.
#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "shapes::container")]
    results: Results,
}

#[derive(Default, Deserialize)]
struct Results {
    #[serde(default, deserialize_with = "shapes::list")]
    result: Vec<RecordResult>,
}

#[derive(Deserialize)]
struct RecordResult {
    #[serde(default, deserialize_with = "shapes::number")]
    client_uid: Option<i64>,
    #[serde(default, deserialize_with = "shapes::text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "shapes::container")]
    error_message: ErrorMessage,
}

#[derive(Default, Deserialize)]
struct ErrorMessage {
    #[serde(default, deserialize_with = "shapes::list")]
    error: Vec<RecordError>,
}

#[derive(Default, Deserialize)]
struct RecordError {
    #[serde(default, deserialize_with = "shapes::text")]
    field: Option<String>,
    #[serde(default, deserialize_with = "shapes::text")]
    error_code: Option<String>,
    #[serde(default, deserialize_with = "shapes::text")]
    error_description: Option<String>,
}

impl Answer {
    /// One answer for each of the `count` records sent. A record the answer does not speak of is unclear.
    fn of_records(self, resource: &'static str, count: usize) -> Vec<WriteAnswer> {
        let results = self.results.result;
        // Without our numbers the order has to do, but only if there is one result for each record.
        let numbered = results.iter().all(|result| result.client_uid.is_some());
        let in_order = !numbered && results.len() == count;
        let mut answers: Vec<Option<WriteAnswer>> = (0..count).map(|_| None).collect();
        for (position, result) in results.into_iter().enumerate() {
            let place = if in_order {
                Some(position)
            } else {
                result.client_uid.and_then(|uid| usize::try_from(uid).ok())
            };
            if let Some(answer) = place.and_then(|place| answers.get_mut(place)) {
                *answer = result.judge();
            }
        }
        answers
            .into_iter()
            .map(|answer| {
                answer.unwrap_or_else(|| {
                    WriteAnswer::Unclear(Error::unexpected(
                        resource,
                        AnswerProblem::Missing("result for a record"),
                    ))
                })
            })
            .collect()
    }
}

impl RecordResult {
    /// What the result says, if it is one of PowerSchool's statuses.
    fn judge(self) -> Option<WriteAnswer> {
        match self.status.as_deref() {
            Some("SUCCESS" | "WARNING") => Some(WriteAnswer::Written),
            Some("ERROR") => {
                let first = self.error_message.error.into_iter().next().unwrap_or_default();
                Some(WriteAnswer::Refused {
                    field: first.field,
                    code: first.error_code,
                    description: first.error_description,
                })
            }
            _ => None,
        }
    }
}
