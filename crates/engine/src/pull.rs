//! Reading the roster from PowerSchool into a new database file that takes the old one's place when it is complete.

use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use rosterbridge_domain::{
    calendar,
    id::YearId,
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, Enrollment, Period, School, Section,
        SectionMeeting, Student, Teacher, Term,
    },
    settings::Setup,
};
use rosterbridge_powerschool::{Client, Metadata, PullScope, RosterRow, Version};
use rosterbridge_store::{
    Roster, RosterStaging,
    roster::{RosterMeta, RosterTable},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
};

/// Told about progress: what is being read, and how many rows of it have been.
pub(crate) type OnRows<'a> = &'a (dyn Fn(&'static str, u64) + Send + Sync);

/// Batches on their way from the network to the database.
const BATCHES_IN_FLIGHT: usize = 8;

/// What is known about the server before the roster is read.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// The day it is in the district: the practice date on a practice district.
    pub(crate) today: NaiveDate,
    /// The district's time zone.
    pub(crate) zone: chrono_tz::Tz,
}

impl Engine {
    /// Meets the server: refuses one that is too old, signs in, and learns what day it is there.
    pub(crate) async fn meet(&self, setup: &Setup, practice: bool) -> Result<Server, EngineError> {
        let client = self.powerschool(setup).await?;
        let metadata: Metadata = client.metadata().await?;
        if !metadata.version.as_ref().is_some_and(|version| version.at_least(Version::OLDEST)) {
            return Err(rosterbridge_powerschool::Error::TooOld { version: metadata.version }.into());
        }
        client.authenticate().await?;
        let zone = metadata.district_timezone.unwrap_or(chrono_tz::America::Chicago);
        let today =
            if practice { client.time().await?.date() } else { Utc::now().with_timezone(&zone).date_naive() };
        Ok(Server { client, today, zone })
    }

    /// Reads the whole roster of the current school year. The former one stays until the new one is complete.
    pub(crate) async fn pull(
        &self,
        setup: &Setup,
        practice: bool,
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Arc<Roster>, EngineError> {
        let server = self.meet(setup, practice).await?;
        self.pull_from(&server, cancel, on_rows).await
    }

    /// As [`Engine::pull`], from a server that has been met.
    pub(crate) async fn pull_from(
        &self,
        server: &Server,
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Arc<Roster>, EngineError> {
        let reading = self.read_tables(server, on_rows);
        tokio::select! {
            roster = reading => roster,
            () = cancel.cancelled() => Err(EngineError::Cancelled),
        }
    }

    async fn read_tables(&self, server: &Server, on_rows: OnRows<'_>) -> Result<Arc<Roster>, EngineError> {
        let (folder, key) = (self.roster_folder().to_owned(), self.key().clone());
        let staging = blocking(move || Ok(RosterStaging::create(&folder, key.expose())?)).await?;
        let client = &server.client;

        let schools: Vec<School> = client.schools().await?;
        on_rows("schools", schools.len() as u64);
        let every_year = PullScope::every_year();
        let mut terms: Vec<Term> = Vec::new();
        let staging = read::<Term>(client, &every_year, staging, "terms", on_rows, |batch| {
            terms.extend_from_slice(batch);
        })
        .await?;
        let years = years_of(&schools, &terms, server.today);
        let staging = blocking(move || {
            let mut staging = staging;
            staging.insert(&schools)?;
            Ok(staging)
        })
        .await?;

        let scope = PullScope { years: years.clone() };
        let staging = read::<Student>(client, &scope, staging, "students", on_rows, |_| ()).await?;
        let staging = read::<Course>(client, &scope, staging, "courses", on_rows, |_| ()).await?;
        let staging = read::<Section>(client, &scope, staging, "sections", on_rows, |_| ()).await?;
        let staging = read::<Teacher>(client, &scope, staging, "teachers", on_rows, |_| ()).await?;
        let staging = read::<Enrollment>(client, &scope, staging, "enrolments", on_rows, |_| ()).await?;
        let staging =
            read::<AttendanceCode>(client, &scope, staging, "attendance codes", on_rows, |_| ()).await?;
        let staging = read::<Period>(client, &scope, staging, "periods", on_rows, |_| ()).await?;
        let staging = read::<CycleDay>(client, &scope, staging, "cycle days", on_rows, |_| ()).await?;
        let staging = read::<CalendarDay>(client, &scope, staging, "calendar days", on_rows, |_| ()).await?;
        let staging =
            read::<BellScheduleItem>(client, &scope, staging, "bell schedules", on_rows, |_| ()).await?;
        let staging = read::<SectionMeeting>(client, &scope, staging, "meetings", on_rows, |_| ()).await?;

        let meta = RosterMeta { pulled_at: Utc::now(), today: server.today, years };
        let roster = blocking(move || Ok(staging.finish(meta)?)).await?;
        Ok(Arc::new(roster))
    }
}

/// Reads one table into the new file, in batches, while the network goes on.
async fn read<R: RosterRow + RosterTable>(
    client: &Client,
    scope: &PullScope,
    mut staging: RosterStaging,
    subject: &'static str,
    on_rows: OnRows<'_>,
    mut seen: impl FnMut(&[R]),
) -> Result<RosterStaging, EngineError> {
    let (sink, mut batches) = mpsc::channel::<Vec<R>>(BATCHES_IN_FLIGHT);
    let (insert, mut inserts) = mpsc::channel::<Vec<R>>(BATCHES_IN_FLIGHT);
    let inserting = tokio::task::spawn_blocking(move || -> Result<RosterStaging, EngineError> {
        while let Some(batch) = inserts.blocking_recv() {
            staging.insert(&batch)?;
        }
        Ok(staging)
    });
    let pulling = client.pull::<R>(scope, sink);
    let passing = async {
        let mut rows = 0;
        while let Some(batch) = batches.recv().await {
            rows += batch.len() as u64;
            seen(&batch);
            if insert.send(batch).await.is_err() {
                // The database refused a batch; its error is the one to report.
                break;
            }
            on_rows(subject, rows);
        }
        drop(insert);
        drop(batches);
    };
    let (pulled, ()) = tokio::join!(pulling, passing);
    let staging = inserting.await??;
    pulled?;
    Ok(staging)
}

/// The school years to read: each school's current one.
fn years_of(schools: &[School], terms: &[Term], today: NaiveDate) -> Vec<YearId> {
    let mut years: Vec<YearId> =
        schools.iter().filter_map(|school| calendar::year_of(terms, school.number, today)).collect();
    years.sort_unstable();
    years.dedup();
    years
}
