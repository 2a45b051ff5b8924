//! What an import asks about all over the district, packed side by side.
//!
//! Of an enrolment, a file of Hero's asks for a tenth of what its row holds; and most of reading a row from the encrypted
//! roster is decrypting its page. So what is asked for stands in tables of its own, entries packed into chunks of about a
//! page. They say what the tables they are made of say, and are written with them: as their rows come in, where these
//! come in order, and otherwise from the filled table.
//!
//! A chunk holds entries by ascending key, each as: the key's distance from the one before (from the chunk's `first` for
//! the first), the length of its content, the content. Numbers are variable-length integers, signed ones zigzagged.

use std::{
    collections::{HashMap, hash_map::Entry},
    iter::Peekable,
};

use compact_str::CompactString;
use integer_encoding::VarInt;
use rosterbridge_domain::{
    id::{SchoolNumber, SectionId, StudentId, YearId},
    roster::{Enrollment, SectionMeeting, Student},
};
use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::tables::{Stored, TableName, day_number};
use crate::StoreError;

/// Bytes of a chunk. With its row's own few it fills a page, of which SQLCipher keeps 80 bytes of 4,096.
const CHUNK: usize = 3_900;
/// Days are counted from here, the first of 2000: most take two bytes then.
const DAY_ZERO: i64 = 730_120;

/// Who has a student number. Key: the number. Content: the student's id, or those of all who have it.
pub(super) const NUMBERS: &str = "packed_numbers";
/// Where a student sits. Key: the student's id. Content: by CC.ID, the id's distance from the one before, the seat's
/// name, the day it begins, and how many days it lasts.
pub(super) const SEATS: &str = "packed_seats";
/// What seats are named by. Key: counted from 0. Content: school, section, course number, section number.
pub(super) const SEAT_NAMES: &str = "packed_seat_names";
/// How sections take attendance, and when they meet. Key: the section's id. Content: whether the roster has the section,
/// and if so how it takes attendance; then its meetings, each as what sets it off from the one before.
pub(super) const SECTIONS: &str = "packed_sections";

fn unreadable() -> StoreError {
    StoreError::unreadable("packed rows")
}

/// Adds a number.
fn put<N: VarInt>(number: N, content: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let length = number.encode_var(&mut bytes);
    content.extend_from_slice(&bytes[..length]);
}

/// Adds a text and its length.
fn put_text(text: &str, content: &mut Vec<u8>) {
    put(text.len(), content);
    content.extend_from_slice(text.as_bytes());
}

/// What is left of an entry's content.
struct Content<'a>(&'a [u8]);

impl<'a> Content<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn number<N: VarInt>(&mut self) -> Result<N, StoreError> {
        let (number, length) = N::decode_var(self.0).ok_or_else(unreadable)?;
        self.0 = self.0.get(length..).ok_or_else(unreadable)?;
        Ok(number)
    }

    fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        let length = self.number::<usize>()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, StoreError> {
        str::from_utf8(self.bytes()?).map_err(|_| unreadable())
    }
}

/// Writes a packed table by ascending keys.
struct Packer {
    table: &'static str,
    /// The entry under way.
    open: Option<i64>,
    content: Vec<u8>,
    /// The chunk under way, and the keys of its first and last entry.
    chunk: Vec<u8>,
    keys: Option<(i64, i64)>,
}

impl Packer {
    fn new(table: &'static str) -> Self {
        Self { table, open: None, content: Vec::new(), chunk: Vec::new(), keys: None }
    }

    /// The content of an entry, to be added to. No key may be less than the one before.
    fn entry(&mut self, connection: &Connection, key: i64) -> Result<&mut Vec<u8>, StoreError> {
        if self.open != Some(key) {
            self.close_entry(connection)?;
            self.open = Some(key);
        }
        Ok(&mut self.content)
    }

    fn close_entry(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(key) = self.open.take() else { return Ok(()) };
        if self.chunk.len() + self.content.len() > CHUNK {
            self.close_chunk(connection)?;
        }
        let (first, last) = self.keys.unwrap_or((key, key));
        put(key.wrapping_sub(last).cast_unsigned(), &mut self.chunk);
        put(self.content.len(), &mut self.chunk);
        self.chunk.append(&mut self.content);
        self.keys = Some((first, key));
        Ok(())
    }

    fn close_chunk(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if let Some((first, _)) = self.keys.take() {
            connection
                .prepare_cached(&format!("INSERT INTO {} (first, entries) VALUES (?1, ?2)", self.table))?
                .execute((first, &self.chunk))?;
            self.chunk.clear();
        }
        Ok(())
    }

    fn finish(mut self, connection: &Connection) -> Result<(), StoreError> {
        self.close_entry(connection)?;
        self.close_chunk(connection)
    }
}

/// Reads a packed table entry by entry, fastest by ascending keys.
pub(super) struct Unpacked<'c> {
    chunk_of: CachedStatement<'c>,
    chunk: Vec<u8>,
    /// The chunk's first key; none is loaded without it.
    first: Option<i64>,
    /// Where the next entry stands in the chunk.
    next: usize,
    /// The entry read last: its key, and where its content stands.
    entry: Option<(i64, usize, usize)>,
}

impl<'c> Unpacked<'c> {
    pub(super) fn new(connection: &'c Connection, table: &str) -> Result<Self, StoreError> {
        let sql = format!("SELECT first, entries FROM {table} WHERE first <= ?1 ORDER BY first DESC LIMIT 1");
        Ok(Self {
            chunk_of: connection.prepare_cached(&sql)?,
            chunk: Vec::new(),
            first: None,
            next: 0,
            entry: None,
        })
    }

    /// The content of an entry.
    fn find(&mut self, key: i64) -> Result<Option<Content<'_>>, StoreError> {
        if self.entry.is_none_or(|(at, ..)| at > key) {
            self.load(key)?;
        }
        loop {
            match self.entry {
                Some((at, from, to)) if at == key => return Ok(self.chunk.get(from..to).map(Content)),
                Some((at, ..)) if at > key => return Ok(None),
                _ if self.next < self.chunk.len() => self.step()?,
                _ => {
                    let before = self.first;
                    self.load(key)?;
                    // Between this chunk's last entry and the next chunk.
                    if self.first == before {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Loads the chunk in which a key stands, if it stands anywhere.
    fn load(&mut self, key: i64) -> Result<(), StoreError> {
        self.chunk.clear();
        (self.next, self.entry) = (0, None);
        let chunk = &mut self.chunk;
        let found = self.chunk_of.query_row([key], |row| {
            chunk.extend_from_slice(row.get_ref(1)?.as_blob()?);
            row.get(0)
        });
        self.first = found.optional()?;
        Ok(())
    }

    fn step(&mut self) -> Result<(), StoreError> {
        let before = self.entry.map(|(key, ..)| key).or(self.first).ok_or_else(unreadable)?;
        let mut rest = Content(&self.chunk[self.next..]);
        let distance: u64 = rest.number()?;
        let length: usize = rest.number()?;
        let from = self.chunk.len() - rest.0.len();
        let to = from.checked_add(length).filter(|to| *to <= self.chunk.len()).ok_or_else(unreadable)?;
        self.entry = Some((before.wrapping_add(distance.cast_signed()), from, to));
        self.next = to;
        Ok(())
    }
}

/// A seat's name: the numbers PowerSchool has with the enrolment itself, and the section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeatName {
    pub(super) school: SchoolNumber,
    pub(super) section: SectionId,
    pub(super) course_number: CompactString,
    pub(super) section_number: CompactString,
}

/// Every seat's name, by the number that seats have it under: 72 bytes each, of which a district has about as many as
/// sections.
pub(super) fn seat_names(connection: &Connection) -> Result<Vec<SeatName>, StoreError> {
    let mut chunks =
        connection.prepare_cached(&format!("SELECT entries FROM {SEAT_NAMES} ORDER BY first"))?;
    let mut rows = chunks.query([])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let mut chunk = Content(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
        while !chunk.is_empty() {
            // One after the other, without a gap.
            let _: u64 = chunk.number()?;
            let mut content = Content(chunk.bytes()?);
            names.push(SeatName {
                school: SchoolNumber::new(content.number()?),
                section: SectionId::new(content.number()?),
                course_number: content.text()?.into(),
                section_number: content.text()?.into(),
            });
        }
    }
    Ok(names)
}

/// A seat of a student's.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedSeat {
    pub(super) cc: i64,
    /// Its place among [`seat_names`].
    pub(super) name: usize,
    /// Days of the common era: the first, and the one after the last.
    pub(super) days: (i64, i64),
}

/// Reads a student's seats, by CC.ID, into `seats`.
pub(super) fn seats_of(
    packed: &mut Unpacked<'_>,
    student: StudentId,
    seats: &mut Vec<PackedSeat>,
) -> Result<(), StoreError> {
    seats.clear();
    let Some(mut content) = packed.find(student.get())? else { return Ok(()) };
    let mut cc = 0_i64;
    while !content.is_empty() {
        cc = cc.wrapping_add(content.number::<i64>()?);
        let name = content.number()?;
        let begins = content.number::<i64>()? + DAY_ZERO;
        let ends = begins + content.number::<i64>()?;
        seats.push(PackedSeat { cc, name, days: (begins, ends) });
    }
    Ok(())
}

/// The first two students who have a number.
pub(super) fn students_numbered(
    packed: &mut Unpacked<'_>,
    number: i64,
) -> Result<(Option<StudentId>, Option<StudentId>), StoreError> {
    let Some(mut ids) = packed.find(number)? else { return Ok((None, None)) };
    let mut next = || if ids.is_empty() { Ok(None) } else { ids.number().map(|id| Some(StudentId::new(id))) };
    Ok((next()?, next()?))
}

/// How a section takes attendance, and when it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionAttendance {
    /// SECTIONS.ATT_MODE_CODE and SECTIONS.ATTENDANCE_TYPE_CODE; `None` where the roster has only meetings of it.
    pub taken: Option<(CompactString, i64)>,
    /// By SECTION_MEETING.ID.
    pub meetings: Vec<SectionMeeting>,
}

/// Reads how a section takes attendance, and when it meets.
pub(super) fn section_attendance(
    packed: &mut Unpacked<'_>,
    section: SectionId,
) -> Result<SectionAttendance, StoreError> {
    let mut found = SectionAttendance { taken: None, meetings: Vec::new() };
    let Some(mut content) = packed.find(section.get())? else { return Ok(found) };
    if content.number::<u8>()? == 1 {
        found.taken = Some((content.text()?.into(), content.number()?));
    }
    let (mut id, mut school, mut year) = (0_i64, 0_i64, 0_i64);
    while !content.is_empty() {
        id = id.wrapping_add(content.number()?);
        school = school.wrapping_add(content.number()?);
        year = year.wrapping_add(content.number()?);
        found.meetings.push(SectionMeeting {
            id,
            section,
            school: SchoolNumber::new(school),
            year: YearId::new(year),
            period_number: content.number()?,
            cycle_day_letter: content.text()?.into(),
        });
    }
    Ok(found)
}

/// Writes the packed tables while a roster is filled.
pub struct Packing {
    numbers: Pack<NumberPacker>,
    seats: Pack<SeatPacker>,
    sections: Pack<SectionPacker>,
}

/// How a packed table comes about.
enum Pack<P> {
    /// With its rows, which have come in order so far.
    AlongTheWay(P),
    /// It is that of a copy, about which nothing has changed.
    Stands,
    /// From the filled tables, once they are complete.
    Afterwards,
}

/// Fills packed tables.
trait FillsPacked: Sized {
    /// Which.
    const TABLES: &'static [&'static str];

    fn new() -> Self;
    /// Takes everything from the filled tables.
    fn take_all(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Writes what is left.
    fn finish(self, connection: &Connection) -> Result<(), StoreError>;
}

impl<P: FillsPacked> Pack<P> {
    /// Takes rows as long as they come in order: `take` tells whether one did.
    fn take<T>(
        &mut self,
        rows: &[T],
        mut take: impl FnMut(&mut P, &T) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if let Self::AlongTheWay(packer) = self {
            for row in rows {
                if !take(packer, row)? {
                    *self = Self::Afterwards;
                    return Ok(());
                }
            }
        } else {
            *self = Self::Afterwards;
        }
        Ok(())
    }

    fn finish(self, connection: &Connection) -> Result<(), StoreError> {
        match self {
            Self::AlongTheWay(packer) => packer.finish(connection),
            Self::Stands => Ok(()),
            Self::Afterwards => {
                for table in P::TABLES {
                    connection.execute(&format!("DELETE FROM {table}"), [])?;
                }
                let mut packer = P::new();
                packer.take_all(connection)?;
                packer.finish(connection)
            }
        }
    }
}

impl Packing {
    /// For a roster that is filled from nothing.
    pub fn from_nothing() -> Self {
        Self {
            numbers: Pack::AlongTheWay(NumberPacker::new()),
            seats: Pack::AlongTheWay(SeatPacker::new()),
            // Of two tables that are filled at the same time.
            sections: Pack::Afterwards,
        }
    }

    /// For a copy with its packed tables.
    pub fn of_copy() -> Self {
        Self { numbers: Pack::Stands, seats: Pack::Stands, sections: Pack::Stands }
    }

    /// Takes students on their way into their table.
    pub fn students(&mut self, connection: &Connection, rows: &[Student]) -> Result<(), StoreError> {
        self.numbers.take(rows, |packer, row| packer.take(connection, row.number.get(), row.id.get()))
    }

    /// Takes enrolments on their way into their table.
    pub fn enrollments(&mut self, connection: &Connection, rows: &[Enrollment]) -> Result<(), StoreError> {
        self.seats.take(rows, |packer, row| {
            let name = SeatName {
                school: row.school,
                section: row.section,
                course_number: row.course_number.clone(),
                section_number: row.section_number.clone(),
            };
            let days = (day_number(row.date_enrolled), day_number(row.date_left));
            packer.take(connection, (row.student.get(), row.id.get()), name, days)
        })
    }

    /// Notes that rows of a table changed otherwise than by what was taken.
    pub(super) fn changed(&mut self, table: TableName) {
        match table {
            TableName::Student => self.numbers = Pack::Afterwards,
            TableName::Enrollment => self.seats = Pack::Afterwards,
            TableName::Section | TableName::SectionMeeting => self.sections = Pack::Afterwards,
            _ => {}
        }
    }

    /// Writes what is left, of tables that are complete.
    pub(super) fn finish(self, connection: &Connection) -> Result<(), StoreError> {
        self.numbers.finish(connection)?;
        self.seats.finish(connection)?;
        self.sections.finish(connection)
    }
}

/// Who has which number.
struct NumberPacker {
    packer: Packer,
    last: Option<i64>,
}

impl NumberPacker {
    fn take(&mut self, connection: &Connection, number: i64, id: i64) -> Result<bool, StoreError> {
        if self.last.is_some_and(|last| last > number) {
            return Ok(false);
        }
        self.last = Some(number);
        put(id, self.packer.entry(connection, number)?);
        Ok(true)
    }
}

impl FillsPacked for NumberPacker {
    const TABLES: &'static [&'static str] = &[NUMBERS];

    fn new() -> Self {
        Self { packer: Packer::new(NUMBERS), last: None }
    }

    fn take_all(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut students =
            connection.prepare_cached("SELECT number, id FROM students ORDER BY number, dcid")?;
        let mut rows = students.query([])?;
        while let Some(row) = rows.next()? {
            self.take(connection, row.get(0)?, row.get(1)?)?;
        }
        Ok(())
    }

    fn finish(self, connection: &Connection) -> Result<(), StoreError> {
        self.packer.finish(connection)
    }
}

/// Where students sit, and what their seats are named by: as much memory as [`seat_names`].
struct SeatPacker {
    seats: Packer,
    names: Packer,
    known: HashMap<SeatName, i64>,
    /// Student and CC.ID.
    last: Option<(i64, i64)>,
}

impl SeatPacker {
    fn take(
        &mut self,
        connection: &Connection,
        (student, cc): (i64, i64),
        name: SeatName,
        (begins, ends): (i32, i32),
    ) -> Result<bool, StoreError> {
        let before = match self.last {
            Some(last) if last > (student, cc) => return Ok(false),
            Some((same, before)) if same == student => before,
            _ => 0,
        };
        self.last = Some((student, cc));
        let next = i64::try_from(self.known.len()).map_err(|_| unreadable())?;
        let name = match self.known.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let SeatName { school, section, course_number, section_number } = place.key();
                let content = self.names.entry(connection, next)?;
                put(school.get(), content);
                put(section.get(), content);
                put_text(course_number, content);
                put_text(section_number, content);
                *place.insert(next)
            }
        };
        let content = self.seats.entry(connection, student)?;
        put(cc.wrapping_sub(before), content);
        put(name.cast_unsigned(), content);
        put(i64::from(begins) - DAY_ZERO, content);
        put(i64::from(ends) - i64::from(begins), content);
        Ok(true)
    }
}

impl FillsPacked for SeatPacker {
    const TABLES: &'static [&'static str] = &[SEATS, SEAT_NAMES];

    fn new() -> Self {
        let (seats, names) = (Packer::new(SEATS), Packer::new(SEAT_NAMES));
        Self { seats, names, known: HashMap::new(), last: None }
    }

    fn take_all(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut enrollments = connection.prepare_cached(
            "SELECT student, id, school, section, course_number, section_number, date_enrolled, date_left
             FROM enrollments ORDER BY student, id",
        )?;
        let mut rows = enrollments.query([])?;
        while let Some(row) = rows.next()? {
            let text =
                |column| -> rusqlite::Result<CompactString> { Ok(row.get_ref(column)?.as_str()?.into()) };
            let name = SeatName {
                school: SchoolNumber::new(row.get(2)?),
                section: SectionId::new(row.get(3)?),
                course_number: text(4)?,
                section_number: text(5)?,
            };
            self.take(connection, (row.get(0)?, row.get(1)?), name, (row.get(6)?, row.get(7)?))?;
        }
        Ok(())
    }

    fn finish(self, connection: &Connection) -> Result<(), StoreError> {
        self.seats.finish(connection)?;
        self.names.finish(connection)
    }
}

/// How sections take attendance, and when they meet.
struct SectionPacker(Packer);

impl SectionPacker {
    /// Takes the meetings of sections that the roster does not have, up to one it has.
    fn meetings_before<I>(
        &mut self,
        connection: &Connection,
        section: Option<SectionId>,
        meetings: &mut Peekable<I>,
    ) -> Result<(), StoreError>
    where
        I: Iterator<Item = rusqlite::Result<SectionMeeting>>,
    {
        while let Some(Ok(SectionMeeting { section: other, .. })) = meetings.peek()
            && section.is_none_or(|section| *other < section)
        {
            let other = *other;
            let content = self.0.entry(connection, other.get())?;
            put(0_u8, content);
            put_meetings(other, meetings, content)?;
        }
        // An error is all that can be left before a section.
        meetings.next_if(Result::is_err).transpose()?;
        Ok(())
    }
}

impl FillsPacked for SectionPacker {
    const TABLES: &'static [&'static str] = &[SECTIONS];

    fn new() -> Self {
        Self(Packer::new(SECTIONS))
    }

    fn take_all(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut meetings = connection.prepare_cached(&format!(
            "SELECT {} FROM {} ORDER BY section, id, period_number, cycle_day_letter",
            SectionMeeting::COLUMNS,
            SectionMeeting::TABLE
        ))?;
        let mut meetings = meetings.query_map([], SectionMeeting::read)?.peekable();
        let mut sections = connection
            .prepare_cached("SELECT id, att_mode_code, attendance_type_code FROM sections ORDER BY id")?;
        let mut sections = sections.query([])?;
        while let Some(section) = sections.next()? {
            let id = SectionId::new(section.get(0)?);
            self.meetings_before(connection, Some(id), &mut meetings)?;
            let content = self.0.entry(connection, id.get())?;
            put(1_u8, content);
            put_text(section.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?, content);
            put(section.get::<_, i64>(2)?, content);
            put_meetings(id, &mut meetings, content)?;
        }
        self.meetings_before(connection, None, &mut meetings)
    }

    fn finish(self, connection: &Connection) -> Result<(), StoreError> {
        self.0.finish(connection)
    }
}

/// Adds the meetings of a section that come next.
fn put_meetings<I>(
    section: SectionId,
    meetings: &mut Peekable<I>,
    content: &mut Vec<u8>,
) -> Result<(), StoreError>
where
    I: Iterator<Item = rusqlite::Result<SectionMeeting>>,
{
    let (mut id, mut school, mut year) = (0_i64, 0_i64, 0_i64);
    while let Some(meeting) =
        meetings.next_if(|meeting| !matches!(meeting, Ok(meeting) if meeting.section != section))
    {
        let meeting = meeting?;
        put(meeting.id.wrapping_sub(id), content);
        put(meeting.school.get().wrapping_sub(school), content);
        put(meeting.year.get().wrapping_sub(year), content);
        put(meeting.period_number, content);
        put_text(&meeting.cycle_day_letter, content);
        (id, school, year) = (meeting.id, meeting.school.get(), meeting.year.get());
    }
    Ok(())
}
