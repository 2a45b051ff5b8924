//! Field lists as administrators keep them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;
use rosterbridge_domain::settings::{
    AccountLevel, ExportKind, SCHEDULE_FIELDS, STUDENT_FIELDS, TEACHER_FIELDS,
};
use rosterbridge_hero::fields::{
    Field, FieldError, FieldList, ScheduleField, StudentField, TeacherField, default_list, field_problems,
    known_fields, parse,
};
use rstest::rstest;

fn fields_of<F: Field>(lines: &[&str]) -> Vec<F> {
    parse::<F>(lines).unwrap().fields().to_vec()
}

#[test]
fn the_lists_of_heros_procedure() {
    assert_eq!(fields_of::<StudentField>(&STUDENT_FIELDS), StudentField::ALL[..12]);
    assert_eq!(fields_of::<ScheduleField>(&SCHEDULE_FIELDS), ScheduleField::ALL[..12]);
    assert_eq!(
        fields_of::<TeacherField>(&TEACHER_FIELDS),
        [
            TeacherField::School,
            TeacherField::LastName,
            TeacherField::FirstName,
            TeacherField::Number,
            TeacherField::Email,
            TeacherField::Number,
            TeacherField::Status,
        ]
    );
}

#[rstest]
#[case(
    ExportKind::Students,
    "Student_Number\nFirst_Name\nLast_Name\nMiddle_Name\nDOB\nMailing_Street\nMailing_City\nMailing_State\nMailing_Zip\nGuardianEmail\nHome_Phone\nGrade_Level\n"
)]
#[case(
    ExportKind::Schedule,
    "Schoolid\n[01]student_number\ntermid\ncourse_number\n[02]course_name\nsection_number\nPeriod\nExpression\n[05]last_name\n[05]first_name\n[03]room\nteachernumber\n"
)]
#[case(
    ExportKind::Teachers,
    "Schoolid\n[05]last_name\n[05]first_name\nteachernumber\nemail_addr\nteachernumber\nstatus\n"
)]
fn the_list_to_paste_has_a_field_a_line(#[case] kind: ExportKind, #[case] list: &str) {
    assert_eq!(default_list(kind), list);
    // As one text it is the same list.
    assert_eq!(field_problems(kind, &[list.to_owned()]), []);
}

/// As Hero's procedure prints it, all in one line.
#[test]
fn a_line_may_name_several_fields() {
    let printed = "Schoolid [01]student_number termid course_number [02]course_name section_number \
                   Period Expression [05]last_name [05]first_name [03]room teachernumber";
    assert_eq!(fields_of::<ScheduleField>(&[printed]), ScheduleField::ALL[..12]);
    let list = parse::<ScheduleField>(&["  Period\tExpression ", "", "\r\n", "termid\r"]).unwrap();
    assert_eq!(list.fields(), [ScheduleField::Period, ScheduleField::Expression, ScheduleField::Term]);
    assert_eq!(list.names(), ["Period", "Expression", "termid"]);
}

#[rstest]
#[case::case("STUDENT_number", StudentField::Number)]
#[case::own_table("[01]Student_Number", StudentField::Number)]
#[case::short_number("[1]dob", StudentField::Dob)]
#[case::beyond_the_usual("schoolid", StudentField::School)]
fn a_students_field(#[case] name: &str, #[case] field: StudentField) {
    let list = parse::<StudentField>(&[name]).unwrap();
    assert_eq!((list.fields(), list.names()), ([field].as_slice(), [name.to_owned()].as_slice()));
}

#[rstest]
#[case("[04]TermID", ScheduleField::Term)]
#[case("TEACHERNUMBER", ScheduleField::TeacherNumber)]
#[case("[05]TeacherNumber", ScheduleField::TeacherNumber)]
#[case("[5]teachernumber", ScheduleField::TeacherNumber)]
#[case("Period_Obsolete", ScheduleField::Period)]
#[case("[3]Room", ScheduleField::Room)]
#[case("[02]Course_Number", ScheduleField::CourseNumber)]
#[case("[01]schoolid", ScheduleField::StudentSchool)]
#[case("schoolid", ScheduleField::School)]
fn a_schedules_field(#[case] name: &str, #[case] field: ScheduleField) {
    assert_eq!(fields_of::<ScheduleField>(&[name]), [field]);
}

#[rstest]
#[case("last_name", TeacherField::LastName)]
#[case("[05]Email_Addr", TeacherField::Email)]
fn a_teachers_field(#[case] name: &str, #[case] field: TeacherField) {
    assert_eq!(fields_of::<TeacherField>(&[name]), [field]);
}

fn unknown(line: usize, name: &str, nearest: Option<&'static str>) -> FieldError {
    FieldError::Unknown { line, name: name.to_owned(), nearest }
}

fn only_from_powerschool(line: usize, name: &str) -> FieldError {
    FieldError::OnlyFromPowerSchool { line, name: name.to_owned() }
}

#[rstest]
#[case(ExportKind::Students, "Student_Numbr", Some("Student_Number"))]
#[case(ExportKind::Students, "Firstname", Some("First_Name"))]
#[case(ExportKind::Students, "Guardian_Email", Some("GuardianEmail"))]
#[case(ExportKind::Students, "Student_Number,", Some("Student_Number"))]
#[case(ExportKind::Students, "[01", None)]
#[case(ExportKind::Students, "[01]", None)]
#[case(ExportKind::Students, "Lieblingsfarbe", None)]
#[case(ExportKind::Schedule, "course_name", Some("[02]course_name"))]
#[case(ExportKind::Schedule, "last_name", Some("[05]last_name"))]
#[case(ExportKind::Schedule, "room", Some("[03]room"))]
#[case(ExportKind::Schedule, "[x]room", None)]
#[case(ExportKind::Teachers, "e-mail_addr", Some("email_addr"))]
fn a_name_that_is_no_fields(
    #[case] kind: ExportKind,
    #[case] name: &str,
    #[case] nearest: Option<&'static str>,
) {
    let problems = field_problems(kind, &["Schoolid".to_owned(), name.to_owned()]);
    assert_eq!(problems, [unknown(2, name, nearest)]);
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.code(), "hero.field_unknown");
    let told = problem.to_string();
    assert!(told.starts_with(&format!("line 2 of the field list: there is no field '{name}'")), "{told}");
    assert_eq!(told.ends_with("'?"), nearest.is_some(), "{told}");
}

#[rstest]
#[case(ExportKind::Students, "Gender")]
#[case(ExportKind::Students, "home_room")]
#[case(ExportKind::Students, "[01]ExitDate")]
#[case(ExportKind::Students, "[39]name")]
#[case(ExportKind::Students, "U_STUDENTS.bus_pass")]
#[case(ExportKind::Students, "^(decode)")]
#[case(ExportKind::Schedule, "CurrentGrade")]
#[case(ExportKind::Schedule, "[01]first_name")]
#[case(ExportKind::Schedule, "[02]Credit_Hours")]
#[case(ExportKind::Schedule, "[03]MaxEnrollment")]
#[case(ExportKind::Schedule, "[05]email_addr")]
#[case(ExportKind::Teachers, "HomeRoom")]
#[case(ExportKind::Teachers, "[04]termid")]
fn a_field_that_only_powerschool_can_send(#[case] kind: ExportKind, #[case] name: &str) {
    let problems = field_problems(kind, &[name.to_owned()]);
    assert_eq!(problems, [only_from_powerschool(1, name)]);
    assert_eq!(problems[0].code(), "hero.field_only_from_powerschool");
    assert!(problems[0].to_string().contains("only when PowerSchool sends the file"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let lines = ["Student_Number", "Gender Frist_Name", "", "DOB", "xyz"].map(str::to_owned);
    assert_eq!(
        field_problems(ExportKind::Students, &lines),
        [
            only_from_powerschool(2, "Gender"),
            unknown(2, "Frist_Name", Some("First_Name")),
            unknown(5, "xyz", None)
        ]
    );
}

#[rstest]
#[case(&[])]
#[case(&["", " \t\r\n"])]
fn an_empty_list(#[case] lines: &[&str]) {
    let problems = parse::<StudentField>(lines).unwrap_err();
    assert_eq!(problems, [FieldError::Empty]);
    assert_eq!(problems[0].code(), "hero.fields_empty");
}

#[test]
fn a_group_has_the_school_in_front() {
    let list = |lines: &[&str]| parse::<StudentField>(lines).unwrap();
    let usual = list(&STUDENT_FIELDS);
    assert_eq!(usual.clone().for_level(AccountLevel::School), usual);
    let of_group = usual.clone().for_level(AccountLevel::Group);
    assert_eq!(of_group.names()[..2], ["SchoolID", "Student_Number"]);
    assert_eq!(of_group.fields()[1..], *usual.fields());
    // Once is enough, and the name stays as it was written.
    let in_front = list(&["schoolid", "Student_Number"]);
    assert_eq!(in_front.clone().for_level(AccountLevel::Group), in_front);
}

#[test]
fn what_hero_requires_and_the_list_lacks() {
    fn lacking<F: Field>(list: &FieldList<F>) -> Vec<&'static str> {
        list.lacking().map(|field| field.name).collect()
    }
    assert_eq!(lacking(&parse::<StudentField>(&STUDENT_FIELDS).unwrap()), [""; 0]);
    let list = parse::<StudentField>(&["Student_Number", "DOB", "Last_Name"]).unwrap();
    assert_eq!(lacking(&list), ["First_Name", "Grade_Level"]);
    assert_eq!(lacking(&parse::<TeacherField>(&["status"]).unwrap()), [""; 0]);
}

/// Whatever the table of known fields says, a list can hold, in each of its ways of writing.
#[rstest]
fn every_known_field_can_be_named(
    #[values(ExportKind::Students, ExportKind::Schedule, ExportKind::Teachers)] kind: ExportKind,
) {
    let known = known_fields(kind);
    for field in &known {
        for name in [field.name.to_owned(), field.name.to_uppercase(), field.name.to_lowercase()] {
            assert_eq!(field_problems(kind, &[name]), []);
        }
        assert!(!field.meaning.is_empty() && field.column.contains('.'), "{field:?}");
    }
    let names: std::collections::HashSet<_> = known.iter().map(|field| field.name.to_lowercase()).collect();
    assert_eq!(names.len(), known.len());
}

proptest! {
    /// A list of known fields, however it is broken into lines, keeps its order and names.
    #[test]
    fn the_order_is_kept(
        fields in proptest::collection::vec((proptest::sample::select(ScheduleField::ALL), "[ \\t\n]{1,3}"), 1..30)
    ) {
        let text: String = fields.iter().flat_map(|(field, blank)| [field.known().name, blank.as_str()]).collect();
        let list = parse::<ScheduleField>(&[text]).unwrap();
        prop_assert_eq!(list.fields(), fields.iter().map(|(field, _)| *field).collect::<Vec<_>>());
        prop_assert_eq!(list.names(), fields.iter().map(|(field, _)| field.known().name).collect::<Vec<_>>());
    }

    /// No text makes it fail, and what is told names a line there is.
    #[test]
    fn any_text_is_a_list_or_wrong(text in "\\PC{0,20}(\n[\\[\\]a-z0-9 _]{0,12}){0,4}") {
        let lines = text.split('\n').count();
        for kind in ExportKind::ALL {
            for problem in field_problems(kind, std::slice::from_ref(&text)) {
                if let FieldError::Unknown { line, .. } | FieldError::OnlyFromPowerSchool { line, .. } = problem {
                    prop_assert!((1..=lines).contains(&line));
                }
            }
        }
    }
}
