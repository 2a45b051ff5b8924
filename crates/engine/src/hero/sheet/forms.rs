//! The forms. Labels, their order and what is required are those of Hero's procedure; the values are the account's.

use rosterbridge_domain::{
    dated_path::folder_and_name,
    job::{Job, JobId},
    schedule::{JobSchedule, TimeOfDay, Weekdays, When},
    settings::{
        ATTENDANCE_SETTING, AccountLevel, CharacterSet, Destination, ExportJob, ExportKind, FieldDelimiter,
        HeroAccount, ImportField, LongValues, ManagedConnection, Owner, RecordDelimiter, Setup, SignInMethod,
    },
};

use crate::report::{SheetEntry, SheetRow, SheetScreen, SheetSide};

const DROPDOWN: &str = "REQUIRED: Select from dropdown list";
const LOGIN: &str = "If AutoSend Setup and AutoComm Setup are not in the menu, your PowerSchool login lacks the \
                     permission for them.";
const BOTH: &str = "RosterBridge does this: nothing is entered here. Where PowerSchool has such a record, tick \
                    'Turn Execution Off' in it; otherwise both would be at work.";

/// The forms of an account.
pub(super) struct Forms<'a> {
    setup: &'a Setup,
    account: &'a HeroAccount,
    connection: ManagedConnection,
}

/// The rows of a form under way.
struct Rows {
    screen: &'static str,
    rows: Vec<SheetRow>,
}

impl Rows {
    const fn of(screen: &'static str) -> Self {
        Self { screen, rows: Vec::new() }
    }

    fn add(&mut self, key: &str, label: &str, entry: SheetEntry, comment: &str) -> &mut Self {
        self.rows.push(SheetRow {
            key: format!("{}/{key}", self.screen),
            label: label.to_owned(),
            entry,
            comment: comment.to_owned(),
            note: String::new(),
            ticked: false,
            changed: false,
        });
        self
    }

    /// 'Sort Order', which Hero's procedure leaves blank.
    fn sort_order(&mut self, order: &str) -> &mut Self {
        let order = order.trim();
        if order.is_empty() {
            return self.add("sort-order", "Sort Order", SheetEntry::LeaveBlank, "");
        }
        self.add("sort-order", "Sort Order", text(order), "")
            .note("Hero's procedure has it blank; in this account's settings it is not.")
    }

    /// A box that Hero's procedure leaves unchecked.
    fn blank_box(&mut self, key: &str, label: &str, on: bool) -> &mut Self {
        self.add(key, label, tick_if(on), "").note(if on {
            "Hero's procedure has it unchecked; in this account's settings it is checked."
        } else {
            ""
        })
    }

    /// A box that has to stay unchecked, whatever PowerSchool's record has.
    fn harmful_box(&mut self, key: &str, label: &str, on: bool) -> &mut Self {
        self.add(key, label, SheetEntry::LeaveUnchecked, "").note(if on {
            "By this account's settings it is checked in PowerSchool: Hero's procedure has it unchecked, and it has to be, \
             as Hero's file holds only part of the attendance."
        } else {
            "It has to stay unchecked: Hero's file holds only part of the attendance."
        })
    }

    /// A note to the row that was added last.
    fn note(&mut self, note: &str) -> &mut Self {
        if let Some(row) = self.rows.last_mut() {
            note.clone_into(&mut row.note);
        }
        self
    }
}

fn text(value: impl Into<String>) -> SheetEntry {
    SheetEntry::Text { value: value.into() }
}

/// What was entered here, or what the person knows.
fn text_or(value: &str, what: &str) -> SheetEntry {
    if value.trim().is_empty() { SheetEntry::Own { what: what.to_owned() } } else { text(value.trim()) }
}

fn choose(value: impl Into<String>) -> SheetEntry {
    SheetEntry::Choose { value: value.into() }
}

const fn tick_if(on: bool) -> SheetEntry {
    if on { SheetEntry::Check } else { SheetEntry::LeaveUnchecked }
}

const fn field_delimiter(delimiter: FieldDelimiter) -> &'static str {
    match delimiter {
        FieldDelimiter::Tab => "Tab",
        FieldDelimiter::Comma => "Comma",
    }
}

const fn record_delimiter(delimiter: RecordDelimiter) -> &'static str {
    match delimiter {
        RecordDelimiter::Crlf => "CRLF",
        RecordDelimiter::Lf => "LF",
        RecordDelimiter::Cr => "CR",
    }
}

const fn character_set(characters: CharacterSet) -> &'static str {
    match characters {
        CharacterSet::WindowsAnsi => "Windows ANSI",
        CharacterSet::Utf8 => "UTF-8",
        CharacterSet::MacRoman => "Mac Roman",
    }
}

/// As PowerSchool's form shows it.
fn on_the_clock(time: TimeOfDay) -> String {
    let (half, hour) = (if time.hour() < 12 { "AM" } else { "PM" }, time.hour() % 12);
    format!("{}:{:02} {half}", if hour == 0 { 12 } else { hour }, time.minute())
}

/// The name of a path's file.
fn file_name(path: &str) -> &str {
    folder_and_name(path).1
}

/// What tells the three exports apart in Hero's procedure.
struct Wording {
    screen: &'static str,
    title: &'static str,
    way: &'static str,
    sample_name: &'static str,
    data: &'static str,
    data_note: &'static str,
    sample_time: &'static str,
    sample_path: &'static str,
    fields_note: &'static str,
    submit: &'static str,
}

const fn wording(kind: ExportKind) -> Wording {
    match kind {
        ExportKind::Students => Wording {
            screen: "students",
            title: "Student Demographics AutoSend Export",
            way: "Select New on the AutoSend Setup screen",
            sample_name: "Hero Student Info",
            data: "Students",
            data_note: "",
            sample_time: "3:00 AM",
            sample_path: "STUDENT.TXT",
            fields_note: "",
            submit: "click",
        },
        ExportKind::Schedule => Wording {
            screen: "schedule",
            title: "Schedule Information AutoSend Export",
            way: "Select New on the AutoSend Setup screen (the AutoSend export created before is listed there)",
            sample_name: "Hero Schedule Info",
            data: "Students Schedule",
            data_note: "The list may show it as 'Student Schedules'.",
            sample_time: "3:10 AM",
            sample_path: "SCHEDULE.TXT",
            fields_note: "Hero's procedure prints Period and Expression on one line: they are two fields.",
            submit: "select",
        },
        ExportKind::Teachers => Wording {
            screen: "teachers",
            title: "Teacher Information AutoSend Export",
            way: "Select New on the AutoSend Setup screen (the AutoSend exports created before are listed there)",
            sample_name: "Hero Teacher Info",
            data: "Teacher",
            data_note: "The list may show it as 'Teachers'.",
            sample_time: "3:20 AM",
            sample_path: "TEACHER.txt",
            fields_note: "The field teachernumber stands there twice: Hero needs it in both places.",
            submit: "select",
        },
    }
}

impl<'a> Forms<'a> {
    pub(super) fn of(setup: &'a Setup, account: &'a HeroAccount) -> Self {
        let connection = setup.connection(account.connection).cloned().unwrap_or_default();
        Self { setup, account, connection }
    }

    /// Every screen, in the order of Hero's procedure; what is set up at Hero comes last.
    pub(super) fn screens(&self, accepted: &[String]) -> Vec<SheetScreen> {
        let exports = ExportKind::ALL.into_iter().map(|kind| self.export(kind));
        let first = [self.connection(accepted)].into_iter();
        first.chain(exports).chain([self.import(), self.hero_side()]).collect()
    }

    fn by_powerschool(&self) -> bool {
        let owners = self.account.jobs().map(|job| self.setup.owner(job));
        owners.contains(&Owner::PowerSchool)
    }

    fn connection(&self, accepted: &[String]) -> SheetScreen {
        let connection = &self.connection;
        let host = connection.host.trim();
        let host = if host.contains("://") { host.to_owned() } else { format!("sftp://{host}") };
        let description = connection.description.trim();
        let description = if description.is_empty() { SheetEntry::LeaveBlank } else { text(description) };
        let password = || SheetEntry::Own { what: "The password that was created in Hero".to_owned() };
        let credentials = "These are created in SchoolMint Hero. System Administrators can generate and share these \
                           credentials with relevant individuals.";
        let mut rows = Rows::of("connection");
        rows.add("name", "Name", text(&connection.name), "")
            .add("description", "Description", description, "")
            .add("protocol", "Protocol", choose("SFTP"), "")
            .add("host", "Host", text(host), "")
            .add("port", "Port", text(connection.port.to_string()), "")
            .add(
                "username",
                "Username",
                text_or(&connection.username, "The account ID from Hero"),
                credentials,
            )
            .add("password", "Password", password(), "")
            .note("It is never shown here, and stays in this computer's keychain.")
            .add("confirm-password", "Confirm Password", password(), "")
            .add("allow-download", "Allow Download", tick_if(connection.allow_download), "")
            .note("AutoSend and AutoComm offer only connections that may download.")
            .add("allow-upload", "Allow Upload", tick_if(connection.allow_upload), "");
        let mut notes = vec![format!(
            "Hero's procedure calls this connection 'Hero SFTP Connection' here and in AutoSend, and 'SchoolMint Hero \
             SFTP Connection' in AutoComm: it is one and the same, and yours is called '{}'.",
            connection.name
        )];
        if connection.sign_in == Some(SignInMethod::PrivateKey) {
            notes.push(
                "RosterBridge signs in by private key over this connection; PowerSchool's form takes the password."
                    .to_owned(),
            );
        }
        if !accepted.is_empty() {
            notes.push(format!(
                "The host key fingerprint that was accepted here: {}. PowerSchool shows the same one, or the MD5 form \
                 of it.",
                accepted.join(", ")
            ));
        }
        SheetScreen {
            key: "connection".to_owned(),
            title: "Create Connection".to_owned(),
            at: SheetSide::PowerSchool,
            job: None,
            owner: None,
            needed: self.by_powerschool(),
            way: strings(&[
                "Setup > System > System Settings > Plugin Management Configuration",
                "Click Remote Connection Manager",
                "Click Manage Remote Connection",
                "Click Create Connection",
            ]),
            rows: rows.rows,
            then: strings(&[
                "Click Test Connection",
                "At the first connection to Hero's SFTP server the host key fingerprint is shown: compare it, then click \
                 'Yes, Accept Host KEY'",
                "Click SUBMIT to save the remote connection",
            ]),
            notes,
        }
    }

    /// Where 'Send Output to' leads.
    fn destination(&self) -> SheetEntry {
        choose(format!("MANAGED CONNECTION {}", self.connection.name))
    }

    fn schedule(&self, job: JobId) -> Option<JobSchedule> {
        self.setup.jobs.iter().find(|settings| settings.job == job)?.schedule
    }

    /// 'When to Execute' and 'Days to Execute'.
    fn times(&self, rows: &mut Rows, job: JobId, own: &str, time_comment: &str, days_comment: &str) {
        let when = self.schedule(job).map(|schedule| schedule.when);
        let (time, days) = match when {
            Some(When::At { days, time }) => (Some(time), days),
            Some(When::Every { .. }) | None => (None, Weekdays::SCHOOL_WEEK),
        };
        let own = || SheetEntry::Own { what: own.to_owned() };
        rows.add(
            "time",
            "When to Execute",
            time.map_or_else(own, |time| choose(on_the_clock(time))),
            time_comment,
        );
        if time.is_some_and(|time| time.minute() == 0) {
            rows.note("PowerSchool does much on the hour: choose minutes other than 00.");
        }
        rows.add("days", "Days to Execute", text(days.to_string()), days_comment);
    }

    /// 'Turn Execution Off'.
    fn off(rows: &mut Rows, owner: Owner) {
        rows.add("off", "Turn Execution Off", tick_if(owner == Owner::RosterBridge), "");
        if owner == Owner::RosterBridge {
            rows.note("RosterBridge does this: a record that stays on in PowerSchool would do it, too.");
        }
    }

    /// 'Email completion report…'.
    fn email(rows: &mut Rows, addresses: &[String]) {
        const WHOSE: &str = "Enter in email address of IT, School or System Administrator";
        rows.add("email", "Email completion report…", text_or(&addresses.join(","), WHOSE), "");
    }

    fn export(&self, kind: ExportKind) -> SheetScreen {
        let (words, export) = (wording(kind), self.account.export(kind));
        let fields = &export.in_powerschool;
        let job = JobId::new(kind.job(), self.account.id);
        let mut rows = Rows::of(words.screen);
        let title = format!("REQUIRED: Title for the AutoSend i.e. {}", words.sample_name);
        let time = format!("REQUIRED: Select a time for the export i.e. {}", words.sample_time);
        let path = format!("REQUIRED: Enter a file name i.e. {}", words.sample_path);
        rows.add("name", "Name", text(&export.name), &title)
            .add("data", "Data to Send", choose(words.data), DROPDOWN)
            .note(words.data_note);
        self.times(
            &mut rows,
            job,
            "A time before Hero takes in the files",
            &time,
            "REQUIRED: The AutoSend should run every day",
        );
        Self::off(&mut rows, export.owner);
        rows.add("destination", "Send Output to", self.destination(), "")
            .add("path", "Path", text(&export.path), &path)
            .note(&path_note(&export.path))
            .add(
                "field-delimiter",
                "Field Delimiter",
                choose(field_delimiter(export.field_delimiter)),
                "REQUIRED: Select from dropdown list. TAB is preferable",
            )
            .add(
                "record-delimiter",
                "Record Delimiter",
                choose(record_delimiter(export.record_delimiter)),
                DROPDOWN,
            )
            .sort_order(&fields.sort_order)
            .add("header", "First record…", tick_if(export.header), "")
            .blank_box("upload-type", "Include “upload_type”", fields.upload_type)
            .add(
                "attendance",
                "Attendance-Specific Settings",
                choose(fields.attendance.trim()),
                "REQUIRED: Select from a bullet list",
            )
            .note(if fields.attendance.trim() == ATTENDANCE_SETTING {
                "It has no effect on this data, and Hero's procedure asks for it nevertheless."
            } else {
                "Hero's procedure has 'Send any Attendance modified in last 24 Hours' chosen; in this account's settings \
                 it is another."
            })
            .add("student", "Student Specific settings", SheetEntry::LeaveBlank, "");
        Self::email(&mut rows, &export.email);
        rows.add(
            "fields",
            "Fields to Export Attendance Field List",
            SheetEntry::Lines { lines: self.fields(kind) },
            "REQUIRED: Enter fields exactly as shown. Select “Attendance Field List” List from the drop down menu in \
             the Field column",
        )
        .note(words.fields_note)
        .blank_box("all-schools", "Duplicate this… all schools", fields.duplicate.all_schools)
        .blank_box("district-office", "Duplicate this… district office", fields.duplicate.district_office);
        let by_powerschool = export.owner == Owner::PowerSchool;
        let mut notes = if by_powerschool { Vec::new() } else { vec![BOTH.to_owned()] };
        notes.push(LOGIN.to_owned());
        if kind == ExportKind::Students && self.account.level == AccountLevel::Group {
            notes.push(
                "This is a group's account: the list of fields begins with SchoolID, which Hero's procedure for one \
                 school does not have. Students who leave don't deactivate by themselves."
                    .to_owned(),
            );
        }
        notes.extend(by_powerschool.then(|| not_in_the_form(export)).flatten());
        SheetScreen {
            key: words.screen.to_owned(),
            title: words.title.to_owned(),
            at: SheetSide::PowerSchool,
            job: Some(job),
            owner: Some(export.owner),
            needed: by_powerschool,
            way: strings(&[
                "Setup > System > System Administrator main menu",
                "Select AutoSend Setup",
                words.way,
            ]),
            rows: rows.rows,
            then: vec![format!(
                "After all required fields are populated, {} “Submit” to save the AutoSend export settings",
                words.submit
            )],
            notes,
        }
    }

    /// The fields of an export, one a line. A group's student file begins with the school.
    fn fields(&self, kind: ExportKind) -> Vec<String> {
        let fields = &self.account.export(kind).fields;
        let mut lines: Vec<String> =
            fields.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect();
        let has_school = lines.first().is_some_and(|first| first.eq_ignore_ascii_case("SchoolID"));
        if kind == ExportKind::Students && self.account.level == AccountLevel::Group && !has_school {
            lines.insert(0, "SchoolID".to_owned());
        }
        lines
    }

    fn import(&self) -> SheetScreen {
        let import = &self.account.attendance;
        let fields = &import.in_powerschool;
        let job = JobId::new(Job::HeroAttendance, self.account.id);
        let mut rows = Rows::of("attendance");
        rows.add(
            "name",
            "Name",
            text(&import.name),
            "REQUIRED: Title for the AutoComm indicating type of import",
        )
        .add("table", "Table to Import", choose("Attendance"), DROPDOWN);
        self.times(
            &mut rows,
            job,
            "A time after Hero has written its export, on the same day",
            "REQUIRED: Select a time after the data is exported from Hero",
            "REQUIRED: The AutoComm should run every day",
        );
        Self::off(&mut rows, import.owner);
        rows.add("destination", "Send Output to", self.destination(), "")
            .note(
                "Hero's procedure calls it 'SchoolMint Hero SFTP Connection' here: it is the connection that was created \
                 before.",
            )
            .add(
                "path",
                "Path",
                text(&import.path),
                "REQUIRED: Enter the path where Hero is sending the data and the file name: export/export_file_name.txt",
            )
            .note(&with_date_note(
                &import.path,
                "Hero places all its exports into the folder export. The name is the one in Hero's export settings, letter \
                 case included.",
            ))
            .add("field-delimiter", "Field Delimiter", choose(field_delimiter(import.field_delimiter)), DROPDOWN)
            .add(
                "record-delimiter",
                "Record Delimiter",
                choose(record_delimiter(import.record_delimiter)),
                DROPDOWN,
            )
            .add("character-set", "Character Set", choose(character_set(import.character_set)), DROPDOWN)
            .sort_order(&fields.sort_order)
            .harmful_box("synchronize", "Synchronize Mode", fields.synchronize)
            .add(
                "update-existing",
                "Update existing records…",
                tick_if(import.update_existing),
                "REQUIRED: Check this box",
            );
        if !import.update_existing {
            rows.note("Hero's procedure has it checked; in this account's settings it is off.");
        }
        rows.harmful_box("mark-students", "Mark students…", fields.mark_students).add(
            "header",
            "First record…",
            tick_if(import.header),
            "",
        );
        Self::email(&mut rows, &import.email);
        let lines = import.fields.iter().copied().map(ImportField::as_str).map(str::to_owned).collect();
        rows.add(
            "fields",
            "PowerSchool fields to import into: Attendance Field",
            SheetEntry::Lines { lines },
            "REQUIRED: Enter fields exactly as shown. Select “Attendance Field” List from the drop down menu in the Field \
             column",
        )
        .blank_box("all-schools", "Duplicate this on… all schools", fields.duplicate.all_schools)
        .blank_box("district-office", "Duplicate this on…district", fields.duplicate.district_office);
        let by_powerschool = import.owner == Owner::PowerSchool;
        let mut notes = if by_powerschool { Vec::new() } else { vec![BOTH.to_owned()] };
        notes.push(LOGIN.to_owned());
        notes.push(
            "Only attendance or Trac Codes come from Hero this way; no disciplinary information does."
                .to_owned(),
        );
        notes.extend(fields.ticks_to_take_off());
        SheetScreen {
            key: "attendance".to_owned(),
            title: "AutoComm Import".to_owned(),
            at: SheetSide::PowerSchool,
            job: Some(job),
            owner: Some(import.owner),
            needed: by_powerschool,
            way: strings(&[
                "Setup > System > System Administrator main menu",
                "Select AutoComm Setup",
                "Select “New” in the AutoComm Setup window: the AutoComm Record window opens",
            ]),
            rows: rows.rows,
            then: strings(&[
                "After all required fields are populated, select “Submit” to save the AutoComm import settings",
            ]),
            notes,
        }
    }

    fn hero_side(&self) -> SheetScreen {
        let (account, side) = (self.account, &self.account.hero_side);
        let level = match account.level {
            AccountLevel::School => "School",
            AccountLevel::Group => "Group",
        };
        let at = |time: Option<TimeOfDay>| match time {
            Some(time) => format!("Daily at {} ({})", on_the_clock(time), side.zone),
            None => "Daily".to_owned(),
        };
        let mut rows = Rows::of("hero-side");
        rows.add("account", "Account level", choose(level), "")
            .note("Hero recommends an account for each school where student accounts should deactivate by themselves.")
            .add(
                "sftp",
                "SFTP account ID and password",
                SheetEntry::Own { what: "Create them, and enter them in the managed connection".to_owned() },
                "",
            );
        for kind in ExportKind::ALL {
            let (words, export) = (wording(kind), account.export(kind));
            let what = match kind {
                ExportKind::Students => "Student import",
                ExportKind::Schedule => "Schedule import",
                ExportKind::Teachers => "Teacher import",
            };
            let key = |field: &str| format!("{}-{field}", words.screen);
            let own = SheetEntry::Own { what: format!("The {} type", what.to_lowercase()) };
            rows.add(&key("type"), &format!("{what}: Type"), own, "")
                .add(&key("file"), &format!("{what}: File name"), text(file_name(&export.path)), "")
                .note(&with_date_note(&export.path, "Letter case counts, and the name has no spaces."))
                .add(&key("header"), &format!("{what}: Has Header"), tick_if(export.header), "")
                .add(&key("when"), &format!("{what}: When"), choose(at(side.imports_at)), "");
            if side.imports_at.is_none() {
                rows.note("After the file was sent. Enter the time here, too, and the order of the day can be checked.");
            }
        }
        rows.add(
            "export-file",
            "Attendance export: File name",
            text(file_name(&account.attendance.path)),
            "",
        )
        .note(&with_date_note(&account.attendance.path, "Hero places it into the folder export by itself."))
        .add("export-when", "Attendance export: When", choose(at(side.exports_at)), "");
        if side.exports_at.is_none() {
            rows.note(
                "Before the import. Enter the time here, too, and the order of the day can be checked.",
            );
        }
        rows.add(
            "codes",
            "External Reference Codes",
            SheetEntry::Own {
                what: "For each behaviour that becomes attendance, PowerSchool's attendance code, letter by letter"
                    .to_owned(),
            },
            "",
        );
        SheetScreen {
            key: "hero-side".to_owned(),
            title: "At Hero".to_owned(),
            at: SheetSide::Hero,
            job: None,
            owner: None,
            needed: true,
            way: strings(&["Sign in to Hero as a system administrator"]),
            rows: rows.rows,
            then: Vec::new(),
            notes: strings(&[
                "Hero's attendance export goes by one bell schedule for the whole school, and takes it that there are no \
                 gaps between periods.",
                "The staff's accounts are created once, from a flat .CSV file: RosterBridge writes it.",
            ]),
        }
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// What there is to know about an export's path.
fn path_note(path: &str) -> String {
    let note = if path.starts_with("imports/") {
        "Hero's procedure prints the file name alone. Hero takes files from the folder imports, so the folder stands in \
         front. Letter case counts, and the name has no spaces."
    } else {
        "Hero takes files from the folder imports: a file elsewhere is not taken. Letter case counts, and the name has no \
         spaces."
    };
    with_date_note(path, note)
}

/// A note to a path, and what is to know where the path has the date in it.
fn with_date_note(path: &str, note: &str) -> String {
    if path.contains('%') {
        format!(
            "{note} The date's place (%Y, %m, %d) is understood by RosterBridge alone: PowerSchool and Hero need a name \
             that stays the same."
        )
    } else {
        note.to_owned()
    }
}

/// What is set up for an export that PowerSchool's form has no field for.
fn not_in_the_form(export: &ExportJob) -> Option<String> {
    let mut only_here = Vec::new();
    if matches!(export.destination, Destination::Folder { .. }) {
        only_here.push("a folder of this computer");
    }
    if !export.schools.is_empty() {
        only_here.push("the restriction to some schools");
    }
    if export.only_current_terms {
        only_here.push("leaving out the other terms");
    }
    if export.long_values == LongValues::Shorten {
        only_here.push("shortening long values");
    }
    if export.character_set != CharacterSet::Utf8 {
        only_here.push("the character set");
    }
    (!only_here.is_empty()).then(|| {
        format!(
            "PowerSchool's form has no field for this, and it has no effect where PowerSchool sends: {}.",
            only_here.join(", ")
        )
    })
}
