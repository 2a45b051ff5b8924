/** Sample data about PowerSchool's connection and plugins. Never part of the product. */

import type { CertificateView } from '../bindings/CertificateView';
import type { Fault } from '../bindings/Fault';
import type { FieldAccess } from '../bindings/FieldAccess';
import type { FieldView } from '../bindings/FieldView';
import type { Handover } from '../bindings/Handover';
import type { Job } from '../bindings/Job';
import type { PluginCheck } from '../bindings/PluginCheck';
import type { PluginView } from '../bindings/PluginView';
import type { PowerSchoolTest } from '../bindings/PowerSchoolTest';
import type { StageReport } from '../bindings/StageReport';
import type { TableAccessView } from '../bindings/TableAccessView';
import { JOB_ORDER, POWERSCHOOL_STAGES } from '../text/names';

const ATTENDANCE_JOBS: Job[] = ['hero-attendance', 'raptor-tardies'];

/** Tables, their fields, and the exchanges that need them; a `+` before a field asks for writing. */
const NEEDS: [table: string, fields: string, jobs: Job[]][] = [
  ['SCHOOLS', 'DCID ID SCHOOL_NUMBER NAME ABBREVIATION', JOB_ORDER],
  ['TERMS', 'DCID ID YEARID SCHOOLID ABBREVIATION FIRSTDAY LASTDAY', JOB_ORDER],
  [
    'STUDENTS',
    'DCID ID STUDENT_NUMBER FIRST_NAME MIDDLE_NAME LAST_NAME LASTFIRST DOB GRADE_LEVEL SCHOOLID ENROLL_STATUS ENTRYDATE EXITDATE HOME_ROOM',
    ['hero-students', 'hero-schedule', 'raptor-roster', ...ATTENDANCE_JOBS],
  ],
  ['STUDENTS', 'MAILING_STREET MAILING_CITY MAILING_STATE MAILING_ZIP HOME_PHONE GUARDIANEMAIL', ['hero-students']],
  ['TEACHERS', 'ID SCHOOLID TEACHERNUMBER LAST_NAME FIRST_NAME EMAIL_ADDR STATUS', ['hero-teachers', 'hero-schedule']],
  ['CC', 'DCID ID STUDENTID SECTIONID TERMID COURSE_NUMBER SECTION_NUMBER SCHOOLID TEACHERID EXPRESSION DATEENROLLED DATELEFT', ['hero-schedule', ...ATTENDANCE_JOBS]],
  ['SECTIONS', 'DCID ID COURSE_NUMBER SECTION_NUMBER SCHOOLID TERMID TEACHER ROOM EXPRESSION', ['hero-schedule', ...ATTENDANCE_JOBS]],
  ['COURSES', 'COURSE_NUMBER COURSE_NAME', ['hero-schedule']],
  ['ATTENDANCE_CODE', 'DCID ID ATT_CODE DESCRIPTION PRESENCE_STATUS_CD SCHOOLID YEARID SORTORDER', ATTENDANCE_JOBS],
  ['PERIOD', 'ID PERIOD_NUMBER NAME ABBREVIATION SCHOOLID YEAR_ID', ATTENDANCE_JOBS],
  ['CALENDAR_DAY', 'ID DATE_VALUE SCHOOLID INSESSION CYCLE_DAY_ID BELL_SCHEDULE_ID', ATTENDANCE_JOBS],
  ['BELL_SCHEDULE_ITEMS', 'BELL_SCHEDULE_ID PERIOD_ID START_TIME END_TIME', ATTENDANCE_JOBS],
  [
    'ATTENDANCE',
    'DCID ID +ATT_MODE_CODE +ATT_DATE +ATTENDANCE_CODEID +CALENDAR_DAYID +CCID +PERIODID +SCHOOLID +STUDENTID +YEARID +ATT_COMMENT',
    ATTENDANCE_JOBS,
  ],
];

function asksOf(jobs: Job[]): FieldView[] {
  return NEEDS.filter(([, , needed]) => needed.some((job) => jobs.includes(job))).flatMap(([table, fields]) =>
    fields.split(' ').map((field) => ({
      table,
      field: field.replace('+', ''),
      access: (field.startsWith('+') ? 'FullAccess' : 'ViewOnly') as FieldAccess,
    })),
  );
}

/** Names as long as they come. */
const LONG_PLUGIN = 'Washington County Regional Cooperative RosterBridge Roster and Attendance';
export const LONG_URL = 'https://powerschool-production-east.washington-county-regional-cooperative.k12.example.org:8443';
const LONG_HOST = new URL(LONG_URL).hostname;

/** `before`: the exchanges of the plugin written last, if one was, with its revision. */
export function pluginView(
  jobs: Job[],
  before: { jobs: Job[]; revision: number } | undefined,
  content: string,
  long: boolean,
): PluginView {
  const asks = asksOf(jobs);
  const earlier = before === undefined ? asks : asksOf(before.jobs);
  const changes: string[] = [];
  for (const table of new Set([...asks, ...earlier].map((ask) => ask.table))) {
    const now = asks.filter((ask) => ask.table === table);
    const then = earlier.filter((ask) => ask.table === table);
    if (now.length > then.length) {
      changes.push(
        now.some((ask) => ask.access === 'FullAccess')
          ? `Adds FullAccess to ${table} (${now.length} fields).`
          : `Adds reading of ${now.length - then.length} fields of ${table}.`,
      );
    } else if (now.length < then.length) {
      changes.push(`No longer reads ${then.length - now.length} fields of ${table}.`);
    }
  }
  const revision = (before?.revision ?? 0) + (changes.length > 0 ? 1 : 0);
  return {
    name: long ? LONG_PLUGIN : 'RosterBridge',
    version: `1.1.${revision}`,
    jobs,
    asks,
    queries: [...new Set(asks.map((ask) => ask.table))].map((table) => `com.rosterbridge.exchange.roster.${table.toLowerCase()}`),
    changes,
    ...(before === undefined ? {} : { written_before: `1.1.${before.revision}` }),
    file_name: `${long ? LONG_PLUGIN.toLowerCase().replaceAll(' ', '-') : 'rosterbridge-plugin'}-1.1.${revision}.zip`,
    content,
  };
}

export const CERTIFICATES: CertificateView[] = [
  {
    subject: 'CN=powerschool.northfield.k12.us, O=Northfield School District',
    issuer: 'CN=Northfield Internal Authority, O=Northfield School District',
    sha256: '7C:1D:4E:90:AA:3B:52:F8:0C:66:9E:D1:47:B3:28:5F:E0:91:7A:C4:13:DE:6B:08:F5:2A:8C:39:71:D6:4B:EE',
    not_before: '2026-01-12T00:00:00Z',
    not_after: '2027-02-13T23:59:59Z',
    offered: false,
  },
  {
    subject: 'CN=Northfield Internal Authority, O=Northfield School District',
    issuer: 'CN=Northfield Internal Authority, O=Northfield School District',
    sha256: 'B8:02:5A:F1:66:0D:C3:97:2E:84:19:FA:5B:70:D8:3C:41:EE:A5:0F:92:6D:37:C0:1B:E4:78:53:AF:20:9D:16',
    not_before: '2020-05-04T00:00:00Z',
    not_after: '2040-05-04T00:00:00Z',
    offered: true,
  },
];

function named(certificate: CertificateView): CertificateView {
  const authority = 'CN=Washington County Regional Cooperative Internal Issuing Authority, OU=Information Technology Services, O=Washington County Regional Cooperative';
  return { ...certificate, issuer: authority, subject: certificate.offered ? authority : `CN=${LONG_HOST}, O=Washington County Regional Cooperative` };
}

/** What can be made to fail with `?fail=`: the stage, and why. */
const FAILURES: Record<string, [stage: string, fault: Fault]> = {
  test: [
    'Credentials',
    {
      code: 'powerschool.bad_credentials',
      message: 'PowerSchool does not know this Client ID and Client Secret.',
      remedy:
        'Copy both again from Plugin Management Configuration, Data Provider Configuration, and check that the plugin is enabled.',
    },
  ],
  replaced: [
    'Credentials',
    {
      code: 'powerschool.credentials_replaced',
      message: 'These credentials worked until November 18, and PowerSchool no longer knows them.',
      remedy: 'The plugin was probably deleted and installed again. Copy the new Client ID and Client Secret from Data Provider Configuration.',
    },
  ],
  dns: [
    'Name',
    {
      code: 'powerschool.dns',
      message: 'There is no server named powerschool.northfield.k12.us, as far as this network knows.',
      remedy: 'Check the spelling of the address. On site without network, let the test wait.',
    },
  ],
  authority: [
    'Certificate',
    {
      code: 'powerschool.unknown_authority',
      message: 'The server’s certificate was issued by an authority this computer does not know: Northfield Internal Authority.',
      remedy: 'Compare the certificate’s fingerprint with the one the server’s administrator names, then trust it.',
    },
  ],
  access: [
    'Access',
    {
      code: 'powerschool.no_access',
      message: 'The installed plugin lacks access to 8 fields that the exchanges need.',
      remedy: 'Save the updated plugin, install it over the old one, and test again.',
    },
  ],
  queries: [
    'Queries',
    {
      code: 'powerschool.no_queries',
      message: 'The installed plugin lacks 2 of the 12 named queries.',
      remedy: 'Save the updated plugin, install it over the old one, and test again.',
    },
  ],
  maintenance: [
    'Server clock',
    {
      code: 'powerschool.maintenance',
      message: 'PowerSchool is down for maintenance.',
      remedy: 'Nothing is wrong on this side. Test again later, or let the test wait.',
    },
  ],
};

const FOUND: Record<string, string> = {
  Input: 'Address, Client ID and Client Secret are well formed.',
  Keychain: 'A probe was written, read and deleted.',
  Name: '127.0.0.1',
  Connection: 'Connected to 127.0.0.1, port 43017.',
  Certificate: 'Issued by RosterBridge practice authority; expires Nov 21, 2027.',
  'Server clock': '2 seconds ahead of this computer.',
  Version: '25.3.0.0, America/Chicago.',
  Credentials: 'A token was issued.',
  Plugin: 'Plugin 12, pages of up to 100 rows.',
  Access: 'Every field the exchanges need is granted.',
  Queries: 'All 12 named queries are there.',
  'Sample read': 'One school was read: Apple Grove Elementary School.',
};

function accessOf(jobs: Job[], missing: boolean): TableAccessView[] {
  const tables = new Map<string, TableAccessView>();
  for (const { table, field, access } of asksOf(jobs)) {
    const view = tables.get(table) ?? { table, fields: [] };
    const lacks = missing && (table === 'BELL_SCHEDULE_ITEMS' || (table === 'ATTENDANCE' && field.startsWith('ATT')));
    view.fields.push({ field, wanted: access, granted: lacks ? (access === 'FullAccess' ? 'ViewOnly' : 'NoAccess') : access });
    tables.set(table, view);
  }
  return [...tables.values()];
}

/** What a test found where every name is long. */
const LONG_FOUND: Record<string, string> = {
  Name: '2001:db8:85a3:8d3:1319:8a2e:370:7348, 2001:db8:85a3:8d3:1319:8a2e:370:7349',
  Connection: `Connected to ${LONG_HOST}, port 8443.`,
  Certificate: 'Issued by Washington County Regional Cooperative Internal Issuing Authority, second generation; expires Nov 21, 2027.',
  'Sample read': 'One school was read: Washington County Regional Career and Technical Education High School at Mount Pleasant.',
};

/** The stages of a test, and what it found. `fail` names one of the failures. */
export function powerSchoolTest(
  jobs: Job[],
  fail: string | null,
  offline: boolean,
  testedAt: Date,
  long: boolean,
): PowerSchoolTest {
  const [failing, fault] = (fail === null ? undefined : FAILURES[fail]) ?? [undefined, undefined];
  const broken = failing === undefined ? POWERSCHOOL_STAGES.length : POWERSCHOOL_STAGES.indexOf(failing);
  const stages = POWERSCHOOL_STAGES.map((name, index): StageReport => {
    if (offline && index > 1) return { name, result: { result: 'waiting' }, detail: '', millis: 0 };
    if (index > broken) return { name, result: { result: 'skipped' }, detail: '', millis: 0 };
    if (index === broken && fault !== undefined) {
      const message = long ? fault.message.replace('powerschool.northfield.k12.us', LONG_HOST) : fault.message;
      return { name, result: { result: 'failed', ...fault, message }, detail: '', millis: 41 };
    }
    return { name, result: { result: 'passed' }, detail: (long ? LONG_FOUND[name] : undefined) ?? FOUND[name] ?? '', millis: 3 + index * 17 };
  });
  const reached = (name: string) => !offline && POWERSCHOOL_STAGES.indexOf(name) <= broken;
  return {
    tested_at: testedAt.toISOString(),
    ...(reached('Version')
      ? {
          server: {
            url: long ? LONG_URL : 'https://127.0.0.1:43017',
            version: '25.3.0.0',
            time_zone: 'America/Chicago',
            plugin_id: reached('Plugin') ? 12 : null,
            table_page_size: 100,
            clock_ahead_seconds: 2,
          },
        }
      : {}),
    certificates: reached('Certificate') ? CERTIFICATES.map((certificate) => (long ? named(certificate) : certificate)) : [],
    access: reached('Access') ? accessOf(jobs, fail === 'access') : [],
    queries: reached('Queries')
      ? pluginView(jobs, undefined, '', false).queries.map((name, index) => ({ name, table: (name.split('.').at(-1) ?? '').toUpperCase(), present: fail !== 'queries' || index % 5 !== 2 }))
      : [],
    waiting: offline,
    text: ['RosterBridge 0.1.0: test of PowerSchool', ...stages.map((stage) => `${stage.name}: ${stage.result.result}`)].join('\n'),
    // As the engine has it: nothing failed, which of a waiting test says nothing yet.
    passed: failing === undefined,
    stages,
  };
}

/** By the file's name: `broken` is invalid, `hostile` is refused, anything else is a vendor's plugin. */
export function pluginCheck(fileName: string, long: boolean): PluginCheck {
  const nothing: PluginCheck = {
    file_name: fileName,
    valid: false,
    name: null,
    version: null,
    publisher: null,
    description: null,
    remarks: [],
    summary: [],
    asks: [],
    queries: [],
    exchanges: [],
  };
  if (fileName.includes('hostile')) {
    return {
      ...nothing,
      remarks: [
        {
          error: true,
          file: fileName,
          line: 2,
          column: 1,
          code: 'plugin.entities',
          message: 'The file declares entities (DOCTYPE). Plugins have none, and they can be used to do harm: it was not read further.',
        },
      ],
    };
  }
  const asks: FieldView[] = asksOf(['raptor-roster']).filter((ask) => ask.table !== 'TERMS');
  const read: PluginCheck = {
    ...nothing,
    valid: true,
    name: long ? 'Visitor-Management-Integration-for-Washington-County-Regional-Cooperative-Schools' : 'Raptor Technologies LLC Integration',
    version: long ? '2026.11.20-release-candidate.4+build.20261120T0841' : '1.0',
    publisher: long
      ? 'Consolidated Visitor Management and School Safety Integrations Incorporated, integrations@consolidated-visitor-management.example.org'
      : 'Raptor Technologies, support@raptortech.com',
    description: 'Keeps students in step between PowerSchool and Raptor.',
    summary: [
      'Creates credentials (OAuth) with which its vendor can call PowerSchool.',
      'Reads 14 fields of Students, among them names and date of birth.',
      'Reads 5 fields of Schools.',
      'Writes nothing.',
    ],
    asks,
    remarks: [
      {
        error: false,
        file: fileName,
        line: 4,
        column: 3,
        code: 'plugin.element_order',
        message: 'publisher stands before access_request. Every version accepts that; ours has it the other way round.',
      },
    ],
    exchanges: JOB_ORDER.map((job) => {
      const missing = asksOf([job]).filter((ask) => !asks.some((other) => other.table === ask.table && other.field === ask.field));
      const fits = job === 'raptor-roster';
      return {
        job,
        missing: fits ? [] : missing,
        without_queries: true,
        sentence: fits ? 'Possible, page by page: slower, since the plugin has no named queries.' : `Not possible: ${missing.length} fields are not asked for.`,
      };
    }),
  };
  if (!fileName.includes('broken')) return read;
  return {
    ...read,
    valid: false,
    publisher: null,
    exchanges: [],
    remarks: [
      {
        error: true,
        file: 'plugin.xml',
        line: 11,
        column: 44,
        code: 'plugin.attribute_value',
        message: 'access="ReadOnly" is not known. It is ViewOnly or FullAccess.',
      },
      {
        error: true,
        file: 'plugin.xml',
        line: 0,
        column: 0,
        code: 'plugin.element_missing',
        message: 'There is no publisher with a contact. PowerSchool requires one.',
      },
      ...read.remarks,
    ],
  };
}

export const HANDOVER: Handover = {
  file_name: 'rosterbridge-handover.age',
  text: '-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3Yx\n-----END AGE ENCRYPTED FILE-----\n',
  subject: 'RosterBridge: credentials for PowerSchool',
  body: 'Attached is a handover file for RosterBridge. It is encrypted.\n\nOn the computer that will run RosterBridge, open the PowerSchool step and choose "Open a handover file". I will tell you the passphrase by telephone.\n\nPlease delete this mail afterwards.',
};

export const HANDOVER_KEY = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
