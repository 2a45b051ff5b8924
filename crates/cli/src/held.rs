//! `held` and `guard`: what waits for a person.

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::{
        held::{HeldFix, PickedMeeting, PickedStudent},
        id::{AttendanceCodeId, CcId, PeriodId},
    },
    report::HeldChoices,
};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::{Guard, Held},
    document::Document,
    text,
};

/// Carries out a command about held rows.
pub async fn carry_out(session: &Session, held: Held) -> Result<Document, Fault> {
    match held {
        Held::List { limit, offset } => {
            let request = Request::Held { limit, offset, source: None, reason: None, detail: None };
            match session.call(request, |_| ()).await? {
                Response::Held(page) => {
                    Ok(Document::done("Held rows", to_value(&page)?).with_text(text::held(&page)))
                }
                _ => Err(unexpected()),
            }
        }
        Held::Choices { id } => {
            let choices = choices(session, id).await?;
            let text = text::held_choices(&choices);
            Ok(Document::done("What there is to pick from", to_value(&choices)?).with_text(text))
        }
        Held::Fix { ids, take_back: true, .. } => {
            let data = json!({ "taken_back": ids });
            session.call(Request::TakeBackHeldFix { ids }, |_| ()).await?;
            let message =
                "What was decided about these rows is taken back. What was written stays: see 'undo'.";
            Ok(Document::done(message, data))
        }
        Held::Fix { ids, student, student_id, code, code_id, class, day, take_back: false } => {
            let picked = student.zip(Some(None)).or(student_id.map(|id| (0, Some(id))));
            let student = match picked {
                Some((number, id)) => Some(the_student(session, &ids, number, id).await?),
                None => None,
            };
            let meeting = match class {
                Some((cc, period)) => {
                    Some(PickedMeeting::Class { cc: CcId::new(cc), period: PeriodId::new(period) })
                }
                None => day.then_some(PickedMeeting::Day),
            };
            let of_all = HeldFix { student, code: code_id.map(AttendanceCodeId::new), meeting };
            if let Some(text) = code {
                // A text is another code at each school.
                let mut fixes = Vec::with_capacity(ids.len());
                for id in &ids {
                    fixes.push((*id, the_code(session, *id, &text).await?));
                }
                for (id, code) in fixes {
                    let fix = HeldFix { code: Some(code), ..of_all };
                    session.call(Request::FixHeld { ids: vec![id], fix }, |_| ()).await?;
                }
            } else {
                session.call(Request::FixHeld { ids: ids.clone(), fix: of_all }, |_| ()).await?;
            }
            Ok(Document::done("The next run decides these rows so.", json!({ "fixed": ids })))
        }
        Held::Retry { ids } => {
            let retried = ids.clone();
            let Response::Retried(by_file) = session.call(Request::RetryHeld { ids }, |_| ()).await? else {
                return Err(unexpected());
            };
            let message = if by_file.is_empty() {
                "The next run decides these rows again.".to_owned()
            } else {
                let ids: Vec<String> = by_file.iter().map(ToString::to_string).collect();
                format!(
                    "The next run decides these rows again, but {} only if the file is still there or comes again: \
                     what they state was not kept.",
                    ids.join(", ")
                )
            };
            Ok(Document::done(message, json!({ "retried": retried, "by_file": by_file })))
        }
        Held::Discard { ids } => {
            let data = json!({ "discarded": ids });
            session.call(Request::DiscardHeld { ids }, |_| ()).await?;
            Ok(Document::done("These rows are closed and never written.", data))
        }
    }
}

async fn choices(session: &Session, id: i64) -> Result<HeldChoices, Fault> {
    match session.call(Request::HeldChoices { id }, |_| ()).await? {
        Response::HeldChoices(choices) => Ok(choices),
        _ => Err(unexpected()),
    }
}

/// The one student with a number; or the one with an id among those that the rows name.
async fn the_student(
    session: &Session,
    ids: &[i64],
    number: i64,
    id: Option<i64>,
) -> Result<PickedStudent, Fault> {
    let found = match (id, ids.first()) {
        (Some(id), Some(row)) => {
            let named = choices(session, *row).await?.students;
            named.into_iter().filter(|student| student.id.get() == id).collect()
        }
        _ => match session.call(Request::FindStudents { text: number.to_string() }, |_| ()).await? {
            Response::Students(found) => found,
            _ => return Err(unexpected()),
        },
    };
    let with_it: Vec<_> =
        found.into_iter().filter(|student| id.is_some() || student.number.get() == number).collect();
    match &with_it[..] {
        [only] => Ok(PickedStudent { number: only.number, id: only.id }),
        [] => Err(not_to_pick("No such student is in the last roster.")),
        _ => Err(not_to_pick("Several students have this number: name one of them with --student-id.")),
    }
}

/// A school's code with a text.
async fn the_code(session: &Session, id: i64, text: &str) -> Result<AttendanceCodeId, Fault> {
    let codes = choices(session, id).await?.codes;
    let with_it: Vec<_> = codes.iter().filter(|code| code.code == text).collect();
    match &with_it[..] {
        [only] => Ok(only.id),
        [] => Err(not_to_pick(&format!("The school of held row {id} has no attendance code '{text}' then."))),
        _ => Err(not_to_pick(&format!(
            "The school of held row {id} has several codes '{text}': name one of them with --code-id."
        ))),
    }
}

fn not_to_pick(message: &str) -> Fault {
    Fault {
        code: "held.not_to_pick".to_owned(),
        message: message.to_owned(),
        remedy: "See what there is to pick from with: rosterbridge held choices ID".to_owned(),
    }
}

/// Carries out a command about stopped plans.
pub async fn decide_guarded(session: &Session, guard: Guard) -> Result<Document, Fault> {
    let (request, message) = match guard {
        Guard::List => (Request::Guarded, "Stopped plans"),
        Guard::Accept { id } => {
            (Request::DecideGuarded { id, accept: true }, "Accepted. It goes out with the next run.")
        }
        Guard::Reject { id } => (Request::DecideGuarded { id, accept: false }, "Rejected."),
    };
    match session.call(request, |_| ()).await? {
        Response::Guarded(files) => Ok(Document::done(message, json!({ "stopped": to_value(&files)? }))
            .with_text(text::guarded(message, &files))),
        _ => Err(unexpected()),
    }
}
