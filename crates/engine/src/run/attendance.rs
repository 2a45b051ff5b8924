//! A run's attendance in: Hero's export and Raptor's tardies, from their files to PowerSchool.

use std::collections::{BTreeSet, HashSet};

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{NoOpReason, Source},
    job::{AccountId, FileReceipt, Job, JobId, RowCounts},
    settings::Owner,
};
use rosterbridge_sftp::Session;
use rosterbridge_store::ledger::{DecisionOutcome, InputFile, RowHash, RunId};

use super::{
    Run, exchanges,
    outcome::{Done, Failure, add},
};
use crate::{
    attendance::{AttendancePlan, Delivered, PlannedInput, Rules, SourceRow, Writing},
    bridge,
    care::{Found, Rereading},
    connections::answer_time,
    engine::blocking,
    error::EngineError,
    guard, hero, known_import,
    raptor::{self, AtHand, FoundTardies, LookUp, RemoteTardies},
    report::{Cause, Phase, PlanView},
};

impl Run<'_> {
    pub(super) async fn hero_attendance(&mut self, job: JobId, done: &mut Done) -> Result<(), EngineError> {
        self.read_again(job, Needed::Job, done).await?;
        let unclear = self.settle(job, done).await?;
        let import = self.import(job)?;
        self.progress(job, Phase::Download, &import.file.to_string(), 0, None);
        let session = self.hero(job).await?;
        let missed = self.missed(job, &session).await?;
        done.notes.extend(missed.note());
        let grounds = self.engine.grounds(job, self.roster()?, &self.setup, self.server.zone).await?;
        // A dry run looks at the rows themselves.
        let may_be_known = missed.imports.is_empty() && unclear == 0 && !self.dry;
        if may_be_known && self.is_known(job, &import, &grounds, &session, done).await? {
            return Ok(());
        }
        let mut exports = Exports::default();
        let refused = self.fetch_missed(job, &missed.imports, &session, &mut exports, done).await?;
        let late: Vec<String> = exports.inputs.iter().map(|input| input.name.clone()).collect();
        // What is at hand of earlier days is taken in, whatever becomes of today's.
        let without_todays = match self.fetch_import(job, &import, &session).await {
            Ok(Some(fetched)) => {
                exports.add(&import, fetched);
                None
            }
            Ok(None) => Some(EngineError::ExportMissing(import.file.name().to_owned())),
            Err(error) if self.cancel.is_cancelled() => return Err(error),
            Err(error) => Some(error),
        };
        let not_yet = self.dry && matches!(without_todays, Some(EngineError::ExportMissing(_)));
        match without_todays {
            Some(error) if late.is_empty() && !not_yet => return Err(error),
            Some(_) if late.is_empty() => {
                done.notes.push(format!("{} is not there yet: nothing to import.", import.file));
            }
            without_todays => {
                let Exports { inputs, rows, last } = exports;
                let plan = self.plan_import(job, inputs, rows, done).await?;
                let may_be_held = may_be_held(&plan);
                let taken = self.take_in(job, plan, unclear, grounds, last, done).await;
                if self.dry {
                    taken?;
                } else {
                    // Also of a run that was broken off: these rows are held.
                    let kept = self.engine.keep_import_rows(&import, &may_be_held, self.id).await;
                    first_failure(taken, kept, done)?;
                }
                if done.failure.is_none() {
                    let taken = if self.dry { "would be" } else { "is" };
                    done.notes.extend(late.iter().map(|path| {
                        format!(
                            "{path}, of an earlier day, {taken} taken in now: it was not read whole before."
                        )
                    }));
                }
                match without_todays {
                    Some(_) if not_yet => done.notes.push(format!("{} is not there yet.", import.file)),
                    // The schedule tries again, as for any file that is not there.
                    Some(error) if done.failure.is_none() => done.fail(&error),
                    _ => {}
                }
            }
        }
        if let Some(error) = refused.filter(|_| done.failure.is_none()) {
            done.fail(&error);
        }
        Ok(())
    }

    /// Whether today's file has nothing to say, because it is the one that had not the last time.
    async fn is_known(
        &self,
        job: JobId,
        import: &hero::Import,
        grounds: &known_import::Grounds,
        session: &Session,
        done: &mut Done,
    ) -> Result<bool, EngineError> {
        let looking = self.engine.known_import(grounds, &import.file, session);
        let known = self.cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)??;
        let Some(known) = known else { return Ok(false) };
        let rows = known.file.rows;
        done.notes.extend(note_of_empty(&known.file.name, rows));
        add(&mut done.rows, RowCounts { read: rows, noop: rows, ..RowCounts::default() });
        let version = hero::Version { bytes: known.file.bytes, modified: known.modified };
        add_plan(done, known.plan);
        done.files.push(known.file);
        self.engine.forget_stop(job, guard::IMPORT).await?;
        self.engine.remember_read_whole(job, import, version).await?;
        Ok(true)
    }

    /// Decides what was fetched of an import, in one plan: of two files about one record the later one counts, and what the
    /// earlier one says of it is never written.
    async fn plan_import(
        &self,
        job: JobId,
        inputs: Vec<PlannedInput>,
        rows: Vec<SourceRow>,
        done: &mut Done,
    ) -> Result<AttendancePlan, EngineError> {
        self.progress(job, Phase::Plan, "rows", rows.len() as u64, None);
        let plan = self.plan_attendance(job, hero::SOURCE, inputs, rows).await?;
        done.notes.extend(plan.inputs.iter().filter_map(|input| note_of_empty(&input.name, input.rows)));
        if !self.dry {
            for (input, first_seen) in plan.inputs.iter().zip(&plan.first_seen) {
                let looking =
                    self.engine.look_for_other_import(job, &input.name, &self.setup, *first_seen, Utc::now());
                looking.await?;
            }
        }
        Ok(plan)
    }

    /// Takes in what was planned of an import, whose latest file is `last`.
    async fn take_in(
        &self,
        job: JobId,
        plan: AttendancePlan,
        unclear: usize,
        grounds: known_import::Grounds,
        last: Option<(&hero::Import, hero::Version)>,
        done: &mut Done,
    ) -> Result<(), EngineError> {
        let known = known_import::without_news(job, &plan);
        self.apply_attendance(job, plan, unclear, done).await?;
        if done.failure.is_some() || self.dry {
            return Ok(());
        }
        if let Some((file, plan)) = known
            && unclear == 0
        {
            self.engine.remember_import(grounds, file, plan).await?;
        }
        let Some((import, version)) = last else { return Ok(()) };
        self.engine.remember_read_whole(job, import, version).await
    }

    /// The files of an import of earlier days that were not read whole.
    async fn missed(&self, job: JobId, session: &Session) -> Result<hero::Missed, EngineError> {
        let today = self.roster()?.meta().today;
        let looking =
            self.engine.missed_imports(self.account(job)?, today, self.server.zone, session, self.dry);
        self.cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?
    }

    /// Fetches the files of earlier days. Why one of them can't be read, if so.
    async fn fetch_missed<'a>(
        &self,
        job: JobId,
        imports: &'a [hero::Import],
        session: &Session,
        exports: &mut Exports<'a>,
        done: &mut Done,
    ) -> Result<Option<EngineError>, EngineError> {
        let mut refused = None;
        for import in imports {
            match self.fetch_import(job, import, session).await {
                Ok(Some(fetched)) => exports.add(import, fetched),
                Ok(None) => {}
                // It stays as it is, whenever it is read: the files of later days don't wait for it.
                Err(error @ EngineError::HeroFile(_)) => {
                    let Cause { code, message, .. } = error.cause();
                    done.notes.push(format!("{} could not be taken in: {message} [{code}]", import.file));
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    async fn fetch_import(
        &self,
        job: JobId,
        import: &hero::Import,
        session: &Session,
    ) -> Result<Option<hero::Fetched>, EngineError> {
        self.progress(job, Phase::Download, &import.file.to_string(), 0, None);
        let (roster, zone) = (self.roster()?, self.server.zone);
        let waiting = || self.waits_for(job, import);
        let fetching =
            self.engine.fetch_attendance(import, &self.setup, roster, zone, session, Some(&waiting));
        self.cancel.run_until_cancelled(fetching).await.ok_or(EngineError::Cancelled)?
    }

    /// Tells that an export is still being written.
    fn waits_for(&self, job: JobId, import: &hero::Import) {
        let subject = format!("{}, which is still being written,", import.file);
        self.progress(job, Phase::Download, &subject, 0, None);
    }

    pub(super) async fn raptor_tardies(&mut self, done: &mut Done) -> Result<(), EngineError> {
        let job = JobId::RAPTOR_TARDIES;
        let status = self.engine.raptor_status().await?;
        if !status.takes_tardies() && !self.dry {
            return Err(EngineError::RaptorNotInitialized(status));
        }
        self.read_again(job, Needed::Job, done).await?;
        let unclear = self.settle(job, done).await?;
        done.notes.extend(self.without.iter().map(|warning| format!("{warning} [{}]", warning.code())));
        self.progress(job, Phase::Download, "tardy files", 0, None);
        let server = self.raptor(job).await?;
        let mut found = self.engine.find_tardies(&self.setup, server.as_deref(), &self.cancel).await?;
        let mut kept = self.engine.kept_tardies().await?;
        let fixes = self.engine.fixes(raptor::SOURCE).await?;
        // However many there are, only so many are in memory at a time.
        loop {
            let look_up = LookUp {
                setup: &self.setup,
                roster: self.roster()?,
                zone: self.server.zone,
                fixes: &fixes,
                cancel: &self.cancel,
            };
            let mut batch = self.engine.read_tardies(&mut found.waiting, server.as_deref(), &look_up).await?;
            found.refused.append(&mut batch.refused);
            found.within_a_row.append(&mut batch.within_a_row);
            let sha256 = batch.inputs.iter().map(|input| input.sha256.clone());
            let files: Vec<_> = std::mem::take(&mut batch.files).into_iter().zip(sha256).collect();
            batch.take_out_of(&mut kept);
            if found.waiting.is_empty() {
                self.engine.add_kept(&mut batch, &mut kept, &look_up).await?;
            }
            self.progress(job, Phase::Plan, "rows", batch.rows.len() as u64, None);
            let receipts = done.files.len() + files.len();
            let plan = self.plan_attendance(job, raptor::SOURCE, batch.inputs, batch.rows).await?;
            let mut decided = self.apply_attendance(job, plan, unclear, done).await;
            if !self.dry {
                // Also where not all could be written: the file may be another one next time.
                let kept = self.engine.keep_tardies(batch.tardies).await;
                decided = first_failure(decided, kept, done);
            }
            let decided = decided?;
            // What was kept was read from no file.
            done.files.truncate(receipts);
            if !self.dry {
                let finished = files.into_iter().zip(decided).filter(|(_, decided)| *decided);
                let finished = finished.map(|(file, _)| file).collect();
                self.put_away(server.as_deref(), finished, batch.known, &mut found.refused).await?;
            }
            if found.waiting.is_empty() && kept.is_empty() {
                break;
            }
        }
        if !self.dry {
            let changing =
                found.refused.iter().any(|(_, error)| matches!(error, EngineError::FileChanging(_)));
            let growing = !found.changing.is_empty() || !found.within_a_row.is_empty();
            self.engine.exchange.left(changing || growing);
        }
        tell_what_is_left(done, found);
        Ok(())
    }

    /// Puts decided files away: those of the folder go to `processed/`, those of the server are remembered. What can't be
    /// moved is added to `left`.
    async fn put_away(
        &self,
        server: Option<&Session>,
        finished: Vec<(AtHand, String)>,
        mut remote: Vec<(RemoteTardies, String)>,
        left: &mut Vec<(String, EngineError)>,
    ) -> Result<(), EngineError> {
        for (file, sha256) in finished {
            if self.cancel.is_cancelled() {
                // Its rows are decided: the next run only moves it.
                return Err(EngineError::Cancelled);
            }
            let name = file.name();
            let path = match file {
                AtHand::Dropped(path) => path,
                AtHand::Remote(file) => {
                    remote.push((file, sha256));
                    continue;
                }
            };
            let (run, seen, content) = (self.id, name.clone(), sha256.clone());
            self.engine
                .ledger(move |ledger| ledger.mark_file_seen(raptor::SOURCE, &seen, &content, run, Utc::now()))
                .await?;
            if let Err(error) = blocking(move || raptor::set_aside(&path, &sha256)).await {
                // Its rows are decided: read again, they change nothing.
                left.push((name, error));
            }
        }
        let Some(session) = server else { return Ok(()) };
        let remembering = self.engine.remember_decided(&self.setup, session, self.id, remote);
        self.cancel.run_until_cancelled(remembering).await.ok_or(EngineError::Cancelled)?
    }

    /// After the ledger was restored: reads again what a source stated since its backup was made, so that nothing is
    /// written twice. It fails with what is needed; the rest is left to its own job. What can't be read now, or is
    /// switched off, stays to be read.
    pub(super) async fn read_again(
        &mut self,
        job: JobId,
        needed: Needed,
        done: &mut Done,
    ) -> Result<(), EngineError> {
        let unread = self.engine.unread_sources().await?;
        if self.dry {
            if self.engine.reads_again_first(job).await? {
                done.notes.push(
                    "The ledger was restored from a backup. The next run first reads again what happened since, so \
                     it may do less than shown here."
                        .to_owned(),
                );
            }
            return Ok(());
        }
        if unread.is_empty() {
            return self.engine.complete_restoration().await;
        }
        // Before anything of it is left out: what the jobs of this run take in is read in any case.
        let mut records = 0;
        for source in unread {
            let of_source = match source {
                Source::Hero => Job::HeroAttendance,
                Source::Raptor => Job::RaptorTardies,
            };
            if !exchanges(&self.setup, &self.jobs).contains(&of_source) {
                continue;
            }
            if source == Source::Hero {
                records += self.read_hero_again(job, &needed).await?;
                continue;
            }
            match self.read_raptor_again(job).await {
                Ok(known) => {
                    self.engine.source_read_again(source).await?;
                    tracing::info!(
                        source = source.as_str(),
                        records = known,
                        "read again after the restoring"
                    );
                    records += known;
                }
                Err(error) => left_for_later(error, of_source == job.kind(), source)?,
            }
        }
        self.engine.leave_the_unused(&self.setup, &self.imports()).await?;
        if records > 0 {
            done.notes.push(format!(
                "The ledger was restored from a backup: {records} records written since were found in PowerSchool and \
                 are known again."
            ));
        }
        Ok(())
    }

    /// How many records are known again.
    async fn read_raptor_again(&mut self, job: JobId) -> Result<usize, EngineError> {
        self.wait_to_read_again(job).await?;
        let server = self.raptor(job).await?;
        let rereading = self.rereading(server.as_deref())?;
        // On the heap: it hardly ever comes to this.
        let reading = Box::pin(self.engine.reread_raptor(&rereading));
        self.cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)?
    }

    /// Reads the exports of the accounts again whose import is this program's, each once; how many records are known
    /// again. Hero is read again as a source once all are.
    async fn read_hero_again(&mut self, job: JobId, needed: &Needed) -> Result<usize, EngineError> {
        let mut records = 0;
        let imports = self.imports();
        for import in self.engine.unread_imports(&imports).await? {
            let is_needed = match needed {
                Needed::Job => import == job,
                Needed::Accounts(accounts) => accounts.contains(&import.account()),
            };
            if is_needed && self.setup.owner(import) == Owner::PowerSchool {
                // What this program wrote since the backup can be told only from a file that is not its to read.
                return Err(EngineError::OwnedByPowerSchool(import));
            }
            if self.setup.owner(import) == Owner::PowerSchool {
                continue;
            }
            if !is_needed && !self.setup.job_enabled(import) && !self.jobs.contains(&import) {
                continue;
            }
            match self.read_import_again(job, import, is_needed).await {
                Ok(known) => {
                    self.engine.import_read_again(import).await?;
                    tracing::info!(%import, records = known, "read again after the restoring");
                    records += known;
                }
                Err(error) => left_for_later(error, is_needed, Source::Hero)?,
            }
        }
        if self.engine.unread_imports(&imports).await?.is_empty() {
            self.engine.source_read_again(Source::Hero).await?;
        }
        Ok(records)
    }

    /// A file that is still being written is waited for by the job that needs it, and by no other.
    async fn read_import_again(
        &mut self,
        job: JobId,
        of_account: JobId,
        is_needed: bool,
    ) -> Result<usize, EngineError> {
        self.wait_to_read_again(job).await?;
        let (import, session) = (self.import(of_account)?, self.hero(of_account).await?);
        let missed = self.missed(of_account, &session).await?;
        let rereading = self.rereading(None)?;
        let reading = Box::pin(async {
            let (roster, zone) = (rereading.roster, self.server.zone);
            let mut records = 0;
            let mut found_any = false;
            let earlier = missed.imports.iter().map(|import| (import, true));
            for (import, is_earlier) in earlier.chain([(&import, false)]) {
                let waiting = || self.waits_for(job, import);
                let waits = is_needed.then_some(&waiting as &(dyn Fn() + Send + Sync));
                let fetching =
                    self.engine.fetch_attendance(import, &self.setup, roster, zone, &session, waits);
                let hero::Fetched { input, rows, .. } = match fetching.await {
                    Ok(Some(fetched)) => fetched,
                    Ok(None) => continue,
                    // It can't have stated anything.
                    Err(EngineError::HeroFile(_)) if is_earlier => continue,
                    Err(error) => return Err(error),
                };
                let file = rereading.file(&input.name, &input.sha256);
                records +=
                    self.engine.take_over(&rereading, Source::Hero, file, rows, Found::Waiting).await?;
                found_any = true;
            }
            if found_any {
                Ok(records)
            } else {
                // What it stated since the backup is not known, so nothing of it can be sent.
                Err(EngineError::ExportMissing(import.file.name().to_owned()))
            }
        });
        self.cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)?
    }

    async fn wait_to_read_again(&self, job: JobId) -> Result<(), EngineError> {
        self.progress(job, Phase::Download, "what happened since the backup", 0, None);
        self.engine.wait_for_what_left_before(answer_time(&self.setup), &self.cancel).await
    }

    /// The imports from Hero of all accounts, switched on or not. One that was given to PowerSchool may have been this
    /// program's since the backup.
    fn imports(&self) -> Vec<JobId> {
        let jobs = self.setup.possible_jobs().into_iter();
        jobs.filter(|job| job.kind() == Job::HeroAttendance).collect()
    }

    /// The accounts whose writes may be sent: all, but for those of which it is not known again, after the ledger was
    /// restored, what was written.
    async fn accounts_known(&self, source: Source) -> Result<Option<BTreeSet<AccountId>>, EngineError> {
        if source != Source::Hero || !self.engine.unread_sources().await?.contains(&source) {
            return Ok(None);
        }
        let imports = self.imports();
        let unread = self.engine.unread_imports(&imports).await?;
        Ok(Some(
            imports.iter().filter(|import| !unread.contains(import)).map(|import| import.account()).collect(),
        ))
    }

    fn rereading<'a>(&'a self, server: Option<&'a Session>) -> Result<Rereading<'a>, EngineError> {
        let (client, zone) = (&self.server.client, self.server.zone);
        Ok(Rereading { run: self.id, client, setup: &self.setup, roster: self.roster()?, zone, server })
    }

    /// The import of a job, today.
    fn import(&self, job: JobId) -> Result<hero::Import, EngineError> {
        hero::Import::of(self.account(job)?, self.roster()?.meta().today)
    }

    /// Decides every row of a source's files, unless a person stops it.
    async fn plan_attendance(
        &self,
        job: JobId,
        source: Source,
        inputs: Vec<PlannedInput>,
        rows: Vec<SourceRow>,
    ) -> Result<AttendancePlan, EngineError> {
        let (client, rules) = (&self.server.client, self.rules(job, source));
        let planning = self.engine.plan_attendance(client, self.roster()?, source, inputs, rows, rules);
        self.cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)?
    }

    /// Who may overwrite what, for rows of a source.
    fn rules(&self, job: JobId, source: Source) -> Rules<'_> {
        Rules { source, setup: &self.setup, account: job.account() }
    }

    /// Finishes what an earlier run of either source left open, so that planning sees PowerSchool as it is. Tells
    /// how many writes stay open all the same.
    pub(super) async fn settle(&self, job: JobId, done: &mut Done) -> Result<usize, EngineError> {
        let mut unclear = 0;
        if !self.dry {
            let unread = self.engine.unread_sources().await?;
            for source in [Source::Hero, Source::Raptor] {
                // What was written since the ledger's backup is not known: nothing of it is sent again. It holds up its
                // own records only; of Hero's accounts each is by itself.
                if source == Source::Raptor && unread.contains(&source) {
                    continue;
                }
                unclear += self.deliver(job, source, None, None, done).await?.unclear;
            }
        }
        Ok(unclear)
    }

    pub(super) async fn deliver(
        &self,
        job: JobId,
        source: Source,
        judged: Option<RunId>,
        total: Option<u64>,
        done: &mut Done,
    ) -> Result<Delivered, EngineError> {
        let on_written = |written: u64| self.progress(job, Phase::Attendance, "attendance", written, total);
        let writing = Writing {
            client: &self.server.client,
            roster: self.roster()?,
            source,
            rules: self.rules(job, source),
            accounts: self.accounts_known(source).await?,
            answer_time: answer_time(&self.setup),
            cancel: &self.cancel,
            on_written: &on_written,
        };
        let mut delivered = Delivered::default();
        let ended = self.engine.deliver(&writing, judged, &mut delivered).await;
        done.rows.written += delivered.written;
        done.rows.noop += delivered.noop;
        done.rows.held += delivered.held;
        done.newly_held += delivered.newly_held;
        if !delivered.doubled.is_empty() {
            for dcids in &delivered.doubled {
                let dcids: Vec<String> = dcids.iter().map(ToString::to_string).collect();
                done.notes.push(format!(
                    "PowerSchool has one attendance record twice: ATTENDANCE.DCID {}.",
                    dcids.join(" and ")
                ));
            }
            done.cause = Some(EngineError::Doubled(delivered.doubled.len()).cause());
        }
        ended.map(|()| delivered)
    }

    /// Records the decisions of a plan, then writes what is to be written. Tells for each file whether every row
    /// of it is decided for good.
    async fn apply_attendance(
        &self,
        job: JobId,
        plan: AttendancePlan,
        settled_unclear: usize,
        done: &mut Done,
    ) -> Result<Vec<bool>, EngineError> {
        let source = plan.source;
        let planned = PlanView::of_attendance(job, &plan);
        let linked = match source {
            Source::Raptor if !self.dry => bridge::samples(&self.setup, self.roster()?, &plan)?,
            Source::Raptor | Source::Hero => Vec::new(),
        };
        // The district's.
        let day = Utc::now().with_timezone(&self.server.zone).date_naive();
        self.engine.refuse_many_rows(job, &plan, &planned.id, day).await?;
        add_plan(done, planned);
        let mut decided = Vec::new();
        let mut to_write = 0;
        let open = if self.dry { HashSet::new() } else { self.engine.open_keys().await? };
        let mut put_off = HashSet::new();
        for mut input in plan.inputs {
            let rows = input.rows;
            // A record whose last write is unclear takes no other: its rows wait in their file, and so does a row that
            // only repeats one of them.
            let all = std::mem::take(&mut input.decisions).into_iter();
            let (waiting, decisions): (Vec<_>, Vec<_>) = all.partition(|decision| match &decision.outcome {
                DecisionOutcome::Write(write) if open.contains(&write.key) => {
                    put_off.insert(decision.row_hash);
                    true
                }
                DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } => {
                    put_off.contains(&decision.row_hash)
                }
                _ => false,
            });
            input.decisions = decisions;
            let mut counts = RowCounts { read: rows, ..RowCounts::default() };
            for decision in &input.decisions {
                match decision.outcome {
                    DecisionOutcome::Write(_) => counts.written += 1,
                    DecisionOutcome::NoOp { .. } => counts.noop += 1,
                    DecisionOutcome::Hold { .. } => counts.held += 1,
                    DecisionOutcome::Reject { .. } => counts.rejected += 1,
                }
            }
            decided.push(counts.held == 0 && waiting.is_empty());
            note_rejected(&mut done.notes, &input);
            if done.files.len() < MOST_RECEIPTS {
                done.files.push(FileReceipt {
                    name: input.name.clone(),
                    rows,
                    bytes: input.bytes,
                    sha256: input.sha256.clone(),
                });
            }
            to_write += counts.written;
            if !self.dry {
                let PlannedInput { name, sha256, decisions, .. } = input;
                let run = self.id;
                let recorded = self
                    .engine
                    .ledger(move |ledger| {
                        let file = InputFile { name: &name, sha256: &sha256, day };
                        ledger.record_decisions(run, source, &file, &decisions, &waiting, Utc::now())
                    })
                    .await?;
                pass(CrashPoint::DecisionsRecorded);
                done.newly_held += recorded.newly_held + recorded.newly_rejected;
                // What is to be written counts once it is.
                counts.written = 0;
                counts.held = recorded.held;
                counts.noop = recorded.noop;
                counts.rejected = recorded.rejected;
            }
            add(&mut done.rows, counts);
        }
        if self.dry {
            return Ok(decided);
        }
        self.progress(job, Phase::Attendance, "attendance", 0, Some(to_write));
        let delivered = self.deliver(job, source, Some(self.id), Some(to_write), done).await?;
        match self.engine.bridge_notes(&self.server.client, self.roster()?, linked).await {
            Ok(notes) => done.notes.extend(notes),
            // It only tells: the next run looks again.
            Err(error) => tracing::warn!(code = error.code(), "daily records could not be looked at"),
        }
        if delivered.held > 0 || delivered.unclear > 0 {
            // A refused row waits in its file until it is decided.
            decided.fill(false);
        }
        // What settling left open, this delivery has tried again if it is of the same source.
        let unclear = if settled_unclear > 0 {
            self.engine.open_keys().await?.len()
        } else {
            delivered.unclear.max(put_off.len())
        };
        if unclear > 0 {
            done.fail(&EngineError::AnswersUnclear(unclear));
        }
        self.engine.forget_stop(job, guard::IMPORT).await?;
        Ok(decided)
    }
}

/// What becomes of a job after its rows were taken in and what the held ones of them state was kept: where both have
/// failed, the first failure is the job's, and the other one is noted beside it.
fn first_failure<T>(
    taken: Result<T, EngineError>,
    kept: Result<(), EngineError>,
    done: &mut Done,
) -> Result<T, EngineError> {
    let Err(error) = kept else { return taken };
    if taken.is_ok() && done.cause.is_none() {
        return Err(error);
    }
    tracing::warn!(code = error.code(), "what held rows state could not be kept");
    let Cause { code, message, .. } = error.cause();
    done.notes.push(format!(
        "What the held rows of this run state could not be kept, so the next run has to hold them before they can be \
         corrected: {message} [{code}]"
    ));
    taken
}

/// The rows of a plan that are held, or can be once PowerSchool has answered.
fn may_be_held(plan: &AttendancePlan) -> HashSet<RowHash> {
    let decisions = plan.inputs.iter().flat_map(|input| &input.decisions);
    let may_be_held = decisions.filter(|decision| match decision.outcome {
        DecisionOutcome::Hold { .. } | DecisionOutcome::Write(_) => true,
        DecisionOutcome::NoOp { .. } | DecisionOutcome::Reject { .. } => false,
    });
    may_be_held.map(|decision| decision.row_hash).collect()
}

/// Adds to what a job plans: where there is too much to be decided at once, or more than one day's file.
fn add_plan(done: &mut Done, planned: PlanView) {
    done.plan = Some(match done.plan.take() {
        None => planned,
        Some(first) => first.followed_by(&planned),
    });
}

/// Files of an import that were fetched, the oldest first.
#[derive(Default)]
struct Exports<'a> {
    inputs: Vec<PlannedInput>,
    rows: Vec<SourceRow>,
    /// The latest one.
    last: Option<(&'a hero::Import, hero::Version)>,
}

impl<'a> Exports<'a> {
    fn add(&mut self, import: &'a hero::Import, fetched: hero::Fetched) {
        let hero::Fetched { input, mut rows, version, .. } = fetched;
        for row in &mut rows {
            row.input = self.inputs.len();
        }
        self.inputs.push(input);
        self.rows.append(&mut rows);
        self.last = Some((import, version));
    }
}

/// What of a source has to be read again before a job goes on.
pub(super) enum Needed {
    /// What the job itself takes in.
    Job,
    /// What these accounts at Hero take in: the writes that are taken back are theirs.
    Accounts(BTreeSet<AccountId>),
}

/// What can't be read again now stays to be read, unless it is needed.
fn left_for_later(error: EngineError, is_needed: bool, source: Source) -> Result<(), EngineError> {
    if is_needed || matches!(error, EngineError::Cancelled) {
        return Err(error);
    }
    tracing::warn!(source = source.as_str(), code = error.code(), "could not be read again yet");
    Ok(())
}

/// What is told of an export without a row: Hero writes it also when there is nothing to say.
fn note_of_empty(name: &str, rows: u64) -> Option<String> {
    (rows == 0).then(|| format!("Hero's export is empty: {name} has no rows."))
}

/// Files a job's report lists.
const MOST_RECEIPTS: usize = 1_000;
/// Notes of one kind that a job's report shows.
const MOST_NOTES: usize = 50;

/// Tells which files a run left where they are, and why.
fn tell_what_is_left(done: &mut Done, found: FoundTardies) {
    let FoundTardies { changing, within_a_row, refused, more, .. } = found;
    shorten(&mut done.notes);
    let changing = changing
        .iter()
        .map(|name| format!("{name} is still being written: it is taken in once that is done."));
    let within_a_row = within_a_row.iter().map(|name| {
        format!(
            "{name} does not end with a line end: it is taken in once nothing has changed it for a minute."
        )
    });
    let mut notes: Vec<String> = changing.chain(within_a_row).collect();
    for (name, error) in refused {
        let cause = error.cause();
        notes.push(format!("{name} was left where it is: {} [{}]", cause.message, cause.code));
        done.cause.get_or_insert(cause);
        // A file that is still being written is whole in a while: the job need not wait for its next time.
        if error.may_pass() {
            done.failure.get_or_insert(Failure::of(&error));
        }
    }
    shorten(&mut notes);
    if more {
        notes.push(
            "There are more files than one run looks at: the others follow when these are gone.".to_owned(),
        );
    }
    done.notes.append(&mut notes);
}

/// Keeps the first notes and says how many others there are.
fn shorten(notes: &mut Vec<String>) {
    let more = notes.len().saturating_sub(MOST_NOTES);
    if more > 0 {
        notes.truncate(MOST_NOTES);
        notes.push(format!("There are {more} more notes like these."));
    }
}

/// Malformed rows a job's report names one by one.
const NAMED_REJECTED: usize = 5;

/// Tells which rows of a file are malformed and why: line and field, no values.
fn note_rejected(notes: &mut Vec<String>, input: &PlannedInput) {
    let mut rejected = input.decisions.iter().filter_map(|decision| match &decision.outcome {
        DecisionOutcome::Reject { detail } => Some((decision.line, detail)),
        _ => None,
    });
    for (line, detail) in rejected.by_ref().take(NAMED_REJECTED) {
        notes.push(format!("{} line {line} was rejected: {detail}.", input.name));
    }
    let more = rejected.count();
    if more > 0 {
        notes.push(format!("{more} more rows of {} were rejected.", input.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_set_up() -> EngineError {
        EngineError::NotSetUp("this")
    }

    /// What is kept of held rows comes after what a person has to know first.
    #[test]
    fn why_a_run_was_broken_off_is_told_before_what_could_not_be_kept() {
        let mut done = Done::default();
        let failed = first_failure::<()>(Err(EngineError::Cancelled), Err(not_set_up()), &mut done);
        assert_eq!(failed.unwrap_err().code(), EngineError::Cancelled.code());
        assert!(done.notes[0].contains(not_set_up().code()), "{:?}", done.notes);

        // It went on, and its job says why it failed all the same.
        let mut done = Done::default();
        done.fail(&EngineError::AnswersUnclear(2));
        first_failure(Ok(()), Err(not_set_up()), &mut done).unwrap();
        assert_eq!(done.cause.unwrap().code, EngineError::AnswersUnclear(2).code());
        assert_eq!(done.notes.len(), 1);

        let mut done = Done::default();
        let failed = first_failure(Ok(()), Err(not_set_up()), &mut done);
        assert_eq!(failed.unwrap_err().code(), not_set_up().code());
        first_failure(Ok(()), Ok(()), &mut done).unwrap();
        assert_eq!(done.notes.len(), 0);
    }
}
