/** Hero's accounts and the managed connections as a new profile has them, for the sample data. */

import type { ExportJob } from '../bindings/ExportJob';
import type { HeroAccount } from '../bindings/HeroAccount';
import type { ManagedConnection } from '../bindings/ManagedConnection';

/** A connection as PowerSchool's form is filled in for Hero, under its id. */
export function managedConnection(id: string): ManagedConnection {
  return {
    id,
    name: 'Hero SFTP Connection',
    description: '',
    host: 'sftp.hero.schoolmint.com',
    port: 2022,
    username: '',
    allow_download: true,
    allow_upload: true,
    allow_legacy: false,
    transfers_at_once: 2,
    answer_seconds: 60,
    keep_alive_seconds: 30,
  };
}

function exportJob(name: string, path: string, fields: string[]): ExportJob {
  return {
    name,
    owner: 'roster_bridge',
    destination: { kind: 'connection' },
    path,
    field_delimiter: 'tab',
    record_delimiter: 'crlf',
    character_set: 'utf8',
    header: false,
    fields,
    long_values: 'as_is',
    email: [],
    schools: [],
    only_current_terms: false,
    skip_unchanged: true,
    in_powerschool: {
      sort_order: '',
      upload_type: false,
      attendance: 'Send any Attendance modified in last 24 Hours',
      duplicate: { all_schools: false, district_office: false },
    },
  };
}

/** An account as a new profile has it. */
export function heroAccount(id: number, connection: string): HeroAccount {
  return {
    id,
    name: id === 1 ? 'Hero' : `Hero ${id}`,
    level: 'school',
    schools: [],
    connection,
    students: exportJob('Hero Student Info', 'imports/STUDENT.TXT', [
      'Student_Number',
      'First_Name',
      'Last_Name',
      'Middle_Name',
      'DOB',
      'Mailing_Street',
      'Mailing_City',
      'Mailing_State',
      'Mailing_Zip',
      'GuardianEmail',
      'Home_Phone',
      'Grade_Level',
    ]),
    schedule: exportJob('Hero Schedule Info', 'imports/SCHEDULE.TXT', [
      'Schoolid',
      '[01]student_number',
      'termid',
      'course_number',
      '[02]course_name',
      'section_number',
      'Period',
      'Expression',
      '[05]last_name',
      '[05]first_name',
      '[03]room',
      'teachernumber',
    ]),
    teachers: exportJob('Hero Teacher Info', 'imports/TEACHER.txt', [
      'Schoolid',
      '[05]last_name',
      '[05]first_name',
      'teachernumber',
      'email_addr',
      'teachernumber',
      'status',
    ]),
    attendance: {
      name: 'Hero Attendance',
      owner: 'roster_bridge',
      path: 'export/ATTENDANCE.txt',
      field_delimiter: 'tab',
      record_delimiter: 'lf',
      character_set: 'windows_ansi',
      header: false,
      update_existing: true,
      fields: [
        'SchoolID',
        'Student_Number',
        'Course_Number',
        'Section_Number',
        'Att_Date',
        'Attendance Code',
        'Period Abbreviation',
      ],
      email: [],
      in_powerschool: {
        sort_order: '',
        synchronize: false,
        mark_students: false,
        duplicate: { all_schools: false, district_office: false },
      },
    },
    ticked: [],
    hero_side: { imports_at: null, exports_at: null, zone: 'America/Chicago' },
  };
}
