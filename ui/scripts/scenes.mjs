// Every screen worth a look, on the sample data, and the browser in which it is looked at.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const here = fileURLToPath(new URL('..', import.meta.url));
const dist = 'node_modules/.fixture-dist';

const NORMAL = { width: 1180, height: 780 };
const NARROW = { width: 900, height: 700 };
const TINY = { width: 640, height: 800 };
const WIDE = { width: 1680, height: 950 };

const click = (id) => (page) => page.getByTestId(id).click();
/** Also where there is no room for it and it is left out. */
const press = (id) => (page) => page.getByTestId(id).evaluate((button) => button.click());
const until = (id) => (page) => page.getByTestId(id).waitFor();
const step = (name) => (page) => page.getByTestId(`step-${name}`).click();

/** A vendor's plugin is opened: a file of that name and, where the size matters, so many bytes. */
const vendorFile = (name, bytes) => [
  click('section-plugin'),
  click('vendor-open'),
  (page) =>
    page.getByTestId('field-plugin-file').setInputFiles({
      name,
      mimeType: 'text/xml',
      buffer: bytes === undefined ? Buffer.from('<plugin/>') : Buffer.alloc(bytes),
    }),
];

/** The buildings of a new district, before anything was chosen. */
const RAPTOR_NEW = [click('welcome-district'), step('buildings'), until('use-suggestions')];
/** And with all that is needed to submit. */
const RAPTOR_YES = [
  ...RAPTOR_NEW,
  ...['client', 'plugin', 'credentials'].map((name) => click(`prerequisite-${name}`)),
  click('use-suggestions'),
  click('use-presets'),
  click('raptor-enabled-yes'),
];

/** Where the work of others is named. */
const ABOUT = [click('nav-settings'), click('settings-about'), until('about-version')];

/** The held rows, with what they wait for. */
const HELD = [click('show-held'), (page) => page.getByTestId('held-cause').first().waitFor()];

/** The PowerSchool step with names, hosts and paths as long as they come. */
const LONG_SCENES = [
  { name: 'long-plugin', actions: [click('section-exchanges'), click('section-plugin'), click('plugin-save')] },
  {
    name: 'long-changes',
    query: '&written',
    actions: [click('section-exchanges'), click('exchange-raptor-tardies'), click('exchanges-continue'), until('plugin-changes')],
  },
  ...['install', 'enable', 'plugin'].map((page) => ({
    name: `long-walk-${page}`,
    actions: [click('section-plugin'), press(`walk-${page}`)],
  })),
  { name: 'long-vendor', actions: [...vendorFile(`${'washington-county-regional-cooperative-'.repeat(2)}plugin.xml`), until('plugin-check')] },
  { name: 'long-vendor-broken', actions: [...vendorFile(`broken-${'washington-county-regional-cooperative-'.repeat(2)}plugin.zip`), until('plugin-check')] },
  { name: 'long-last', query: '&tested', actions: [until('access-toggle'), click('access-toggle'), click('save-report')] },
  ...['dns', 'access'].map((fail) => ({
    name: `long-${fail}`,
    query: `&fail=${fail}`,
    actions: [click('test-powerschool'), until('error-code'), until('tested-at'), ...(fail === 'access' ? [click('repair-plugin'), until('repair-saved')] : [])],
  })),
  {
    name: 'long-certificate',
    query: '&fail=authority',
    actions: [click('test-powerschool'), click('view-certificate'), until('certificate-sha256'), (page) => page.getByText('The rest of the chain').click()],
  },
  {
    name: 'long-proxy',
    actions: [
      click('proxy'),
      click('proxy-explicit'),
      (page) => page.getByTestId('field-proxy-url').fill('http://web-proxy-for-all-schools.washington-county-regional-cooperative.k12.example.org:8080'),
    ],
  },
  {
    name: 'long-handover',
    actions: [
      click('handover-write'),
      (page) => page.getByTestId('field-handover-new-passphrase').fill('correct horse battery'),
      (page) => page.getByTestId('field-handover-again').fill('correct horse battery'),
      click('handover-save'),
      until('handover-mail'),
    ],
  },
];

/** The help, over what it is about. */
const f1 = (page) => page.keyboard.press('F1');
const HELP_SCENES = [
  { name: 'help-code', query: 'scene=practice&fail=test', actions: [click('test-powerschool'), click('error-code'), until('help-text')] },
  { name: 'help-step', query: 'scene=practice', actions: [until('test-powerschool'), f1, until('help-text')] },
  { name: 'help-contents', query: 'scene=home&own', actions: [f1, click('help-contents'), until('help-book-guide'), (page) => page.locator('summary', { hasText: 'SFTP' }).click()] },
  { name: 'help-search', query: 'scene=home&own', actions: [f1, until('help-text'), (page) => page.getByTestId('help-search').fill('host key')] },
  { name: 'help-none', query: 'scene=home&own', actions: [f1, until('help-text'), (page) => page.getByTestId('help-search').fill('zebra'), until('help-none')] },
  { name: 'help-table', query: 'scene=home&own', actions: [f1, until('help-text'), (page) => page.getByTestId('help-search').fill('command line'), (page) => page.getByTestId('help-entry').first().click(), until('help-text')] },
  { name: 'help-over-dialog', query: 'scene=home&own&fail=history', actions: [click('status-history'), click('error-code'), until('help-text')] },
];

/** The accounts at Hero, what each exchanges and who carries it out. */
const open = (id) => (page) => page.getByTestId(id).locator('xpath=..').evaluate((details) => (details.open = true));
const ACCOUNT_SCENES = [
  { name: 'export', actions: [click('hero-students-change'), open('hero-students-format'), open('hero-students-rows'), open('hero-students-others'), open('hero-students-problems'), until('hero-students-problems-table')] },
  {
    name: 'export-wrong',
    actions: [
      click('hero-students-change'),
      open('hero-students-format'),
      click('hero-students-fields-text-toggle'),
      (page) => page.getByTestId('hero-students-fields-text').fill('Student_Number\nFirst_Nam\nLast_Name'),
      (page) => page.getByTestId('hero-students-path').fill('imports/STUDENT INFO.TXT'),
      (page) => page.getByTestId('hero-students-email').fill('principal'),
      (page) => page.getByTestId('hero-students-time').fill('late'),
      until('hero-students-fields-problems'),
    ],
  },
  {
    name: 'export-folder',
    actions: [
      click('hero-schedule-change'),
      click('hero-schedule-to-folder'),
      click('hero-schedule-choose-folder'),
      (page) => page.getByTestId('hero-schedule-path').fill('%Y/SCHEDULE-%Y%m%d.TXT'),
      open('hero-schedule-rows'),
      click('hero-schedule-schools-some'),
    ],
  },
  { name: 'import', actions: [click('hero-attendance-change'), open('hero-attendance-format'), open('hero-attendance-others'), until('hero-attendance-fields')] },
  {
    name: 'import-synchronized',
    actions: [
      click('hero-attendance-change'),
      open('hero-attendance-others'),
      click('hero-attendance-others-synchronize'),
      click('hero-attendance-others-mark-students'),
      until('hero-attendance-others-warning'),
    ],
  },
  { name: 'several-schools', query: '&several', actions: [until('account-schools-warning')] },
  {
    name: 'several-schools-hand-over',
    query: '&several&sends=powerschool',
    actions: [click('hero-students-owner-roster_bridge'), click('hand-over-confirm')],
  },
  { name: 'unread', query: '&fail=hero', actions: [click('hero-students-change'), open('hero-students-problems'), click('files-look'), (page) => page.getByTestId('error-code').nth(2).waitFor()] },
  { name: 'two', query: '&accounts', actions: [click('account-2'), until('account-group-warning')] },
  { name: 'shared', query: '&accounts', actions: [click('account-2'), click('account-schools-all'), click('account-1'), click('account-schools-all'), click('step-next'), until('account-shared')] },
  { name: 'remove', query: '&accounts', actions: [click('account-2'), click('account-remove'), until('account-remove-do')] },
  { name: 'take-back', actions: [click('hero-students-owner-power_school'), until('hand-over-do')] },
  { name: 'hand-over', query: '&sends=powerschool', actions: [click('hero-students-owner-roster_bridge'), click('hand-over-confirm')] },
  {
    name: 'handed-over-unread',
    query: '&sends=powerschool&fail=reread',
    actions: [click('hero-students-owner-roster_bridge'), click('hand-over-confirm'), click('hand-over-do'), until('hand-over-close')],
  },
  {
    name: 'day',
    actions: [
      (page) => page.getByTestId('hero-imports-at').fill('3:00 AM'),
      (page) => page.getByTestId('hero-exports-at').fill('3:30 PM'),
      click('day-look'),
      until('day-warning-import_before_hero'),
    ],
  },
  {
    name: 'days',
    actions: [
      click('hero-students-change'),
      (page) => page.getByTestId('hero-students-days').fill('MoTWThF'),
      click('hero-schedule-change'),
      (page) => page.getByTestId('hero-schedule-days').fill(''),
      click('hero-teachers-change'),
      (page) => page.getByTestId('hero-teachers-days').fill('mwf'),
      (page) => page.keyboard.press('Tab'),
      click('step-next'),
    ],
  },
  {
    name: 'staff',
    actions: [click('staff-file'), (page) => page.getByTestId('staff-role').fill('Teacher'), click('staff-save'), until('staff-written')],
  },
  { name: 'files', query: '&sends=powerschool', actions: [click('files-look'), until('remote-files')] },
  { name: 'sheet', query: '&sends=powerschool', actions: [click('sheet-open'), click('tick-connection.name'), click('tick-connection.description')] },
  { name: 'sheet-export', query: '&sends=powerschool', actions: [click('sheet-open'), click('screen-schedule')] },
  {
    name: 'sheet-paper',
    query: '&sends=powerschool',
    paper: true,
    actions: [click('sheet-open'), until('sheet-print'), (page) => page.emulateMedia({ media: 'print' }), until('printed-sheet')],
  },
  { name: 'sheet-hero', query: '&sends=powerschool', actions: [click('sheet-open'), click('screen-hero'), click('sheet-staff-save'), until('sheet-staff-written')] },
  { name: 'sheet-ours', actions: [click('sheet-open'), click('screen-attendance')] },
];

/** A file dragged over the page, for as long as a picture takes, or dropped on it. */
const overWindow = (name, type, what) => (page) =>
  page.evaluate(
    ([name, type, what]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['Building\nCedar High\n'], name, { type }));
      const tell = () => document.body.dispatchEvent(new DragEvent(what, { bubbles: true, cancelable: true, dataTransfer }));
      tell();
      if (what === 'dragover') setInterval(tell, 100);
    },
    [name, type, what],
  );

/** Name, address, what is done there, and how it is looked at. */
export const SCENES = [
  { name: 'welcome', query: 'scene=new' },
  { name: 'welcome-starting', query: 'scene=new&pace=600000', actions: [click('welcome-practice')] },
  { name: 'welcome-failed', query: 'scene=new&fail=practice', actions: [click('welcome-practice'), until('error-code')] },
  { name: 'welcome-import', query: 'scene=new', actions: [click('welcome-import')] },
  { name: 'opened-file', query: 'scene=new&opened=encrypted', actions: [until('opened-file')] },
  { name: 'opened-file-replaces', query: 'scene=home&own&opened=plain', actions: [until('opened-file')] },
  { name: 'opened-file-unreadable', query: 'scene=new&opened=unreadable', actions: [until('error-code')] },
  { name: 'powerschool-empty', query: 'scene=new', actions: [click('welcome-district'), until('plugin-asks')] },
  { name: 'powerschool-fields', query: 'scene=practice', actions: [click('section-exchanges'), click('plugin-fields')] },
  { name: 'powerschool-plugin', query: 'scene=practice', actions: [click('section-plugin'), click('plugin-save')] },
  ...['system', 'settings', 'dashboard', 'install', 'enable', 'plugin', 'credentials'].map((page) => ({
    name: `walk-${page}`,
    query: 'scene=practice',
    actions: [click('section-plugin'), press(`walk-${page}`)],
  })),
  { name: 'walk-older-system', query: 'scene=practice', actions: [click('section-plugin'), click('menus-older'), press('walk-system')] },
  { name: 'walk-older-plugin', query: 'scene=practice', actions: [click('section-plugin'), click('menus-older'), press('walk-plugin')] },
  {
    name: 'powerschool-changes',
    query: 'scene=practice&written',
    actions: [click('section-exchanges'), click('exchange-raptor-tardies'), click('exchanges-continue'), until('plugin-changes')],
  },
  ...['raptor-Plugin.xml', 'broken.zip', 'hostile.xml'].map((file) => ({
    name: `vendor-${file.split('.')[0]}`,
    query: 'scene=practice',
    actions: [...vendorFile(file), until('plugin-check')],
  })),
  { name: 'vendor-large', query: 'scene=practice', actions: [...vendorFile('plugin.zip', 9_000_000), until('error-code')] },
  { name: 'walk-update', query: 'scene=practice&written', actions: [click('section-plugin'), press('walk-dashboard')] },
  { name: 'proxy', query: 'scene=practice', actions: [click('proxy'), click('proxy-explicit'), (page) => page.getByTestId('field-proxy-username').fill('office')] },
  {
    name: 'powerschool-hints',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) => page.getByTestId('field-url').fill('http://ps.northfield.k12.us'),
      (page) => page.getByTestId('field-client-id').fill('"3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10"'),
      (page) => page.getByTestId('field-client-secret').fill('a1b2c3d4-0000-4000-8000-12345678'),
      (page) => page.getByTestId('field-url').focus(),
    ],
  },
  {
    name: 'powerschool-swapped',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) => page.getByTestId('field-url').fill('3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10'),
      (page) => page.getByTestId('field-client-id').fill('https://ps.northfield.k12.us'),
    ],
  },
  { name: 'handover-open', query: 'scene=new', actions: [click('welcome-district'), click('handover-open'), click('handover-key'), until('handover-key-text')] },
  {
    name: 'handover-wrong',
    query: 'scene=new&fail=handover',
    actions: [
      click('welcome-district'),
      click('handover-open'),
      (page) => page.getByTestId('field-handover-file').setInputFiles({ name: 'rosterbridge-handover.age', mimeType: 'text/plain', buffer: Buffer.from('-----BEGIN AGE') }),
      (page) => page.getByTestId('field-handover-passphrase').fill('correct horse'),
      click('handover-take'),
      until('error-code'),
    ],
  },
  { name: 'handover-write', query: 'scene=practice', actions: [click('handover-write')] },
  {
    name: 'handover-written',
    query: 'scene=practice',
    actions: [
      click('handover-write'),
      (page) => page.getByTestId('field-handover-new-passphrase').fill('correct horse battery'),
      (page) => page.getByTestId('field-handover-again').fill('correct horse battery'),
      click('handover-save'),
      until('handover-mail'),
    ],
  },
  {
    name: 'powerschool-pasted',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) =>
        page.getByTestId('field-url').evaluate((input) => {
          const data = new DataTransfer();
          data.setData(
            'text',
            'Client ID: 3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10\nClient Secret: a1b2c3d4-0000-4000-8000-1234567890ab\nhttps://ps.northfield.k12.us',
          );
          input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        }),
    ],
  },
  { name: 'powerschool-testing', query: 'scene=practice&pace=400', actions: [click('test-powerschool'), (page) => page.waitForTimeout(1400)] },
  { name: 'powerschool-tested', query: 'scene=practice', actions: [click('test-powerschool'), (page) => page.getByText('PowerSchool is connected.').last().waitFor()] },
  { name: 'powerschool-failed', query: 'scene=practice&fail=test', actions: [click('test-powerschool'), until('error-code')] },
  ...['dns', 'authority', 'access', 'queries', 'replaced', 'maintenance'].map((fail) => ({
    name: `powerschool-${fail}`,
    query: `scene=practice&fail=${fail}`,
    actions: [click('test-powerschool'), until('error-code'), until('tested-at')],
  })),
  {
    name: 'certificate',
    query: 'scene=practice&fail=authority',
    actions: [click('test-powerschool'), click('view-certificate'), until('certificate-sha256')],
  },
  { name: 'powerschool-waiting', query: 'scene=practice&waiting', actions: [until('test-waiting')] },
  { name: 'powerschool-last', query: 'scene=practice&tested', actions: [until('access-toggle'), click('access-toggle'), click('access-ATTENDANCE')] },
  ...LONG_SCENES.map(({ name, query = '', actions }) => ({
    name,
    query: `scene=practice&own&long${query}`,
    // A district of one's own begins at the first step that is not complete.
    actions: [step('powerschool'), ...actions],
  })),
  { name: 'buildings', query: 'scene=practice', actions: [step('buildings'), until('building-row-5')] },
  { name: 'buildings-fresh', query: 'scene=new', actions: [click('welcome-district'), step('buildings'), until('building-row-5')] },
  {
    name: 'buildings-open',
    query: 'scene=practice',
    actions: [step('buildings'), until('building-row-5'), click('building-school-5')],
  },
  { name: 'buildings-long', query: 'scene=practice&long', actions: [step('buildings'), until('building-row-5')] },
  { name: 'buildings-many', query: 'scene=new&schools=300', actions: [...RAPTOR_NEW, click('use-suggestions'), until('building-preset-0')] },
  {
    name: 'buildings-search',
    query: 'scene=new&schools=300',
    actions: [
      ...RAPTOR_NEW,
      click('use-suggestions'),
      click('building-show-no_school'),
      (page) => page.getByTestId('building-search').fill('academy'),
      (page) => page.getByTestId('building-search').press('ArrowDown'),
      (page) => page.keyboard.type('elm'),
    ],
  },
  {
    name: 'buildings-names',
    query: 'scene=practice',
    actions: [
      step('buildings'),
      click('buildings-several'),
      (page) => page.getByTestId('field-names').fill(['Building', 'Juniper ES', ...Array.from({ length: 30 }, (_, number) => `Annex ${number + 1}`)].join('\n')),
      until('names-found'),
    ],
  },
  ...['', '&long'].map((long) => ({
    name: `buildings-changes${long.replace('&', '-')}`,
    query: `scene=practice&changes${long}`,
    actions: [
      step('buildings'),
      until('mapping-changes'),
      click('building-method-3-both'),
      click('building-more-3'),
      (page) => page.getByTestId('left-out').locator('summary').click({ timeout: 500 }).catch(() => undefined),
    ],
  })),
  {
    name: 'buildings-left-out',
    query: 'scene=new&schools=40',
    actions: [...RAPTOR_NEW, click('use-suggestions'), (page) => page.getByTestId('left-out').locator('summary').click()],
  },
  { name: 'buildings-failed', query: 'scene=practice&own&fail=choices', actions: [step('buildings'), until('error-code')] },
  {
    name: 'buildings-enable',
    query: 'scene=new&own',
    actions: [
      ...RAPTOR_NEW,
      click('raptor-enabled-yes'),
      (page) => page.getByTestId('field-notify').fill('office@northfield.k12.us, help@northfield.k12.us'),
      click('notify-add'),
      (page) => page.getByTestId('field-notify').fill('principal'),
      click('window-show'),
      (page) => page.getByTestId('window-minutes').fill('0'),
    ],
  },
  ...['', '&long'].map((long) => ({
    name: `confirmation${long.replace('&', '-')}`,
    query: `scene=new${long}`,
    actions: [...RAPTOR_YES, (page) => page.getByTestId('field-notify').fill('office@northfield.k12.us'), click('notify-add'), click('raptor-submit'), until('confirmation')],
  })),
  { name: 'confirmation-paused', query: 'scene=new&own&paused=resumed', actions: [...RAPTOR_YES, click('raptor-submit'), until('confirmation')] },
  { name: 'confirmation-obstacles', query: 'scene=new&own', actions: [...RAPTOR_NEW, click('raptor-enabled-yes'), click('raptor-submit'), until('confirmation')] },
  {
    name: 'confirmed',
    query: 'scene=new&own',
    actions: [...RAPTOR_YES, click('raptor-submit'), click('confirmation-confirm'), until('raptor-confirmed')],
  },
  { name: 'raptor-off', query: 'scene=practice', actions: [step('buildings'), click('raptor-enabled-no'), until('disable-confirm')] },
  { name: 'tardies-changes', query: 'scene=practice&changes', actions: [step('tardies'), until('tardy-change-0')] },
  { name: 'tardies-changes-long', query: 'scene=practice&changes&long', actions: [step('tardies'), until('tardy-change-0')] },
  {
    name: 'tardies-twice',
    query: 'scene=practice',
    actions: [
      step('tardies'),
      click('tardy-new'),
      (page) => page.getByTestId('tardy-reason').fill('overslept'),
      (page) => page.keyboard.press('Tab'),
      click('tardy-update'),
    ],
  },
  { name: 'tardies-empty', query: 'scene=new', actions: [click('welcome-district'), step('tardies'), click('student-tardy-yes'), until('reasons-open')] },
  { name: 'tardies', query: 'scene=practice', actions: [step('tardies'), until('tardy-row-0')] },
  { name: 'tardies-off', query: 'scene=new', actions: [click('welcome-district'), step('tardies')] },
  ...['', '-long'].map((suffix) => ({
    name: `tardies-new${suffix}`,
    query: `scene=practice${suffix === '' ? '' : '&long'}`,
    actions: [step('tardies'), click('tardy-new'), click('tardy-code')],
  })),
  {
    name: 'prerequisites',
    query: 'scene=new&own',
    actions: [...RAPTOR_NEW, click('prerequisite-plugin'), (page) => page.locator('.page').evaluate((shown) => shown.scrollTo({ top: 0 }))],
  },
  { name: 'tardies-long', query: 'scene=practice&long', actions: [step('tardies'), until('tardy-row-0')] },
  { name: 'hero', query: 'scene=practice', actions: [step('hero')] },
  { name: 'hero-empty', query: 'scene=new', actions: [click('welcome-district'), step('hero')] },
  { name: 'hero-question', query: 'scene=practice', actions: [step('hero'), click('test-hero'), until('accept-host-key')] },
  {
    name: 'hero-tested',
    query: 'scene=practice',
    actions: [step('hero'), click('test-hero'), click('accept-host-key'), (page) => page.getByText('Hero is connected.').last().waitFor()],
  },
  ...['', '&long'].flatMap((long) =>
    ACCOUNT_SCENES.map(({ name, query = '', paper = false, actions }) => ({
      // What comes out of the printer is not read by a screen reader.
      paper,
      name: `account-${name}${long.replace('&', '-')}`,
      query: `scene=practice${query}${long}`,
      actions: [step('hero'), ...actions],
    })),
  ),
  { name: 'hero-staff-empty', query: 'scene=new', actions: [click('welcome-district'), step('hero'), click('staff-file'), click('staff-save'), (page) => page.getByText('There is nobody to write yet').waitFor()] },
  { name: 'home-powerschool-sends-long', query: 'scene=home&sends=powerschool&accounts&long' },
  { name: 'home-unseen-long', query: 'scene=home&sends=powerschool&unseen&accounts&long' },
  ...[3, 10].map((many) => ({
    name: `connections-${many}`,
    query: `scene=home&own&connections=${many}`,
    actions: [click('open-setup'), step('hero'), until('connection-connection-3')],
  })),
  { name: 'home-several-schools', query: 'scene=quiet&several' },
  { name: 'home-several-schools-long', query: 'scene=quiet&several&long&accounts' },
  { name: 'home-accounts', query: 'scene=home&accounts' },
  { name: 'home-accounts-long', query: 'scene=home&accounts&long' },
  { name: 'home-powerschool-sends', query: 'scene=home&sends=powerschool' },
  { name: 'home-unseen', query: 'scene=home&sends=powerschool&unseen' },
  { name: 'home-other-sender', query: 'scene=home&other-sender' },
  { name: 'home-other-sender-long', query: 'scene=home&other-sender&long' },
  { name: 'hero-changed', query: 'scene=practice&changed-key', actions: [click('open-setup'), step('hero'), click('test-hero'), until('host-key-changed')] },
  {
    name: 'hero-replace',
    query: 'scene=practice&changed-key',
    actions: [
      click('open-setup'),
      step('hero'),
      click('test-hero'),
      click('replace-host-key'),
      click('replace-asked'),
      (page) => page.getByTestId('field-replace-typed').fill('hYk3Wq0m'),
    ],
  },
  ...['', '-wrong'].map((suffix) => ({
    name: `hero-given${suffix}`,
    query: 'scene=practice',
    actions: [
      step('hero'),
      (page) => page.getByTestId('field-hero-fingerprint').fill(`SHA256:${suffix === '' ? 'hYk3Wq0mJ5tqv8n1RZ4cXo2sVb7eLgT9uPfDyAiNwQc' : 'p1TtzrQ6mE0sJd8uWvXbK2nYc4aHg7oLf9RiMx5eVZA'}`),
      click('test-hero'),
      (page) => page.getByTestId('hero-stages').and(page.locator(`[data-passed="${suffix === ''}"]`)).waitFor(),
    ],
  })),
  { name: 'hero-testing', query: 'scene=home&own&pace=600000', actions: [click('open-setup'), step('hero'), click('test-hero'), until('stop-hero-stages')] },
  {
    name: 'hero-old-server',
    query: 'scene=home&own&old-server',
    actions: [
      click('open-setup'),
      step('hero'),
      click('hero-advanced'),
      click('hero-allow-legacy'),
      until('hero-legacy'),
      click('test-hero'),
      (page) => page.getByText('Hero is connected.').last().waitFor(),
    ],
  },
  {
    name: 'hero-known-hosts',
    query: 'scene=practice',
    actions: [
      step('hero'),
      click('known-hosts-hero'),
      (page) => page.getByTestId('field-known-hosts').fill('[127.0.0.1]:43018 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK3yJx0m1dQ7vYw2hTq8Zb4nLr5sEo6uFpGcXaWiVtRj'),
      click('known-host-2'),
    ],
  },
  { name: 'hero-known-hosts-none', query: 'scene=practice', actions: [step('hero'), click('known-hosts-hero'), (page) => page.getByTestId('field-known-hosts').fill('# none'), until('known-hosts-found')] },
  { name: 'hero-key', query: 'scene=practice', actions: [step('hero'), click('hero-sign-in-private_key'), (page) => page.getByTestId('field-hero-key').fill('-----BEGIN OPENSSH PRIVATE KEY-----'), (page) => page.getByTestId('field-hero-key').blur(), until('hero-key-facts')] },
  { name: 'hero-key-wrong', query: 'scene=practice', actions: [step('hero'), click('hero-sign-in-private_key'), (page) => page.getByTestId('field-hero-key').fill('ssh-ed25519 AAAA'), (page) => page.getByTestId('field-hero-key').blur(), until('error-code')] },
  ...['', '-long'].flatMap((suffix) => {
    const query = `scene=home&own&second${suffix === '' ? '' : '&long'}`;
    const open = [click('open-setup'), step('hero')];
    return [
      { name: `connections${suffix}`, query, actions: [...open, until('connection-connection-3')] },
      { name: `connections-key${suffix}`, query, actions: [...open, click('connection-connection-3'), until('connection-3-public-key')] },
      { name: `connections-delete${suffix}`, query, actions: [...open, click('connection-connection-3'), click('connection-delete'), until('connection-delete-confirm')] },
    ];
  }),
  {
    name: 'connections-create',
    query: 'scene=home&own',
    actions: [
      click('open-setup'),
      step('hero'),
      click('connection-create'),
      (page) => page.getByTestId('field-raptor-port').fill('99999'),
      click('raptor-advanced'),
      (page) => page.getByTestId('field-raptor-transfers').fill('9'),
      click('step-next'),
    ],
  },
  { name: 'schedule-new', query: 'scene=new', actions: [click('welcome-district'), step('schedule'), until('field-zone')] },
  { name: 'schedule', query: 'scene=home&own', actions: [click('open-setup'), step('schedule'), until('start-at-login')] },
  {
    name: 'schedule-open',
    query: 'scene=home&own',
    actions: [
      click('open-setup'),
      step('schedule'),
      click('schedule-hero-students-change'),
      click('schedule-raptor-tardies-change'),
      click('schedule-hero-teachers-on'),
    ],
  },
  {
    name: 'schedule-wrong',
    query: 'scene=home&own',
    actions: [
      click('open-setup'),
      step('schedule'),
      click('schedule-hero-students-change'),
      (page) => page.getByTestId('schedule-hero-students-time').fill('late'),
      ...[...'MTWHF'].map((day) => click(`schedule-hero-students-day-${day}`)),
      click('schedule-raptor-tardies-change'),
      (page) => page.getByTestId('schedule-raptor-tardies-minutes').fill('0'),
      (page) => page.getByTestId('field-mail-host').fill('smtp.northfield.org'),
      (page) => page.getByTestId('field-mail-to').fill('office'),
      click('step-hero'),
    ],
  },
  ...['mail-sent', 'mail-refused'].map((name) => ({
    name: `schedule-${name}`,
    query: `scene=home&own${name === 'mail-refused' ? '&fail=mail' : ''}`,
    actions: [
      click('open-setup'),
      step('schedule'),
      (page) => page.getByTestId('field-mail-host').fill('smtp.northfield.org'),
      (page) => page.getByTestId('field-mail-username').fill('office'),
      (page) => page.getByTestId('field-mail-password').fill('a password'),
      (page) => page.getByTestId('field-mail-from').fill('rosterbridge@northfield.org'),
      (page) => page.getByTestId('field-mail-to').fill('office@northfield.org, help@northfield.org'),
      click('test-mail'),
      name === 'mail-sent' ? (page) => page.getByText('The test mail was sent.').last().waitFor() : until('error-code'),
    ],
  })),
  {
    name: 'schedule-long',
    query: 'scene=home&own&long&login',
    actions: [
      click('open-setup'),
      step('schedule'),
      (page) => page.getByTestId('field-mail-host').fill('smtp-relay-for-all-schools.washington-county-regional-cooperative.k12.example.org'),
      (page) => page.getByTestId('field-mail-from').fill('rosterbridge@washington-county-regional-cooperative.k12.example.org'),
      (page) =>
        page
          .getByTestId('field-mail-to')
          .fill(Array.from({ length: 6 }, (_, number) => `office-${number}@washington-county-regional-cooperative.k12.example.org`).join(', ')),
      click('start-at-login'),
      until('error-code'),
    ],
  },
  { name: 'schedule-practice', query: 'scene=practice', actions: [step('schedule'), until('start-at-login')] },
  { name: 'home-own', query: 'scene=home&own' },
  { name: 'home-own-quiet', query: 'scene=quiet&own' },
  { name: 'home-paused', query: 'scene=home&own&paused=tomorrow' },
  { name: 'home-paused-resumed', query: 'scene=home&own&paused=resumed&mail' },
  { name: 'home-trouble', query: 'scene=home&own&trouble&mail&long' },
  { name: 'home-scheduled-run', query: 'scene=home&own&schedule=100&pace=200', actions: [(page) => page.waitForTimeout(2500)] },
  { name: 'home-pause', query: 'scene=home&own', actions: [click('pause-open'), click('pause-date'), click('pause-confirm')] },
  { name: 'home-own-run-open', query: 'scene=home&own', actions: [(page) => page.getByTestId('recent-runs').getByRole('button').nth(1).click()] },
  { name: 'home-quiet', query: 'scene=quiet' },
  { name: 'home', query: 'scene=home' },
  { name: 'home-long', query: 'scene=home&long' },
  { name: 'home-running', query: 'scene=home&pace=110', actions: [click('run-now'), (page) => page.waitForTimeout(5600)] },
  { name: 'home-pulling', query: 'scene=quiet&pace=300', actions: [click('run-now'), (page) => page.waitForTimeout(2600)] },
  { name: 'home-result', query: 'scene=quiet&pace=5', actions: [click('run-now'), until('run-outcome')] },
  { name: 'home-dry', query: 'scene=quiet&pace=5', actions: [click('dry-run'), until('run-outcome')] },
  { name: 'home-failed', query: 'scene=home&pace=5&fail=sync', actions: [click('run-now'), until('run-outcome')] },
  { name: 'home-cancelled', query: 'scene=quiet&pace=60', actions: [click('run-now'), (page) => page.waitForTimeout(1800), click('cancel-run'), until('run-outcome')] },
  { name: 'home-elsewhere', query: 'scene=home&elsewhere' },
  { name: 'home-run-open', query: 'scene=home', actions: [(page) => page.getByTestId('recent-runs').getByRole('button').first().click()] },
  { name: 'home-guarded', query: 'scene=home&guarded', actions: [until('guard-accept')] },
  { name: 'home-guarded-ask', query: 'scene=home&guarded', actions: [click('guard-accept'), until('guard-confirm')] },
  ...HELP_SCENES,
  { name: 'held', query: 'scene=home', actions: HELD },
  {
    name: 'held-fix',
    query: 'scene=home',
    actions: [
      ...HELD,
      (page) => page.getByTestId('held-map').first().click(),
      until('held-map-to'),
      (page) => page.getByTestId('student-text').fill('ab'),
      click('student-find'),
      (page) => page.getByTestId('student-pick').first().waitFor(),
      (page) => page.getByTestId('held-pick').last().click(),
      until('held-pick-from'),
    ],
  },
  { name: 'held-decided', query: 'scene=home', actions: [...HELD, (page) => page.getByTestId('student-text').fill('abbott'), click('student-find'), click('student-pick'), until('held-fixed')] },
  { name: 'held-discard', query: 'scene=home', actions: [...HELD, (page) => page.getByTestId('held-discard').last().click(), until('held-discard-confirm')] },
  { name: 'held-empty', query: 'scene=home&held=none', actions: [click('nav-activity'), click('tab-held'), until('held-none')] },
  { name: 'held-long', query: 'scene=home&long&held=many', actions: [...HELD, (page) => page.getByTestId('student-text').fill('ab'), click('student-find'), (page) => page.getByTestId('student-pick').first().waitFor()] },
  { name: 'held-error', query: 'scene=home&fail=held', actions: [click('show-held'), until('held-rows')] },
  ...['', '-long'].flatMap((suffix) => {
    const query = `scene=practice${suffix === '' ? '' : '&long'}`;
    const layout = [step('buildings'), click('roster-show'), click('layout-new'), click('layout-name-take'), until('layout-editor')];
    return [
      { name: `layout-usual${suffix}`, query, actions: [step('buildings'), click('roster-show'), until('roster-preview'), (page) => page.getByTestId('roster-preview').scrollIntoViewIfNeeded()] },
      { name: `layout-own${suffix}`, query, actions: [...layout, click('column-down-2'), (page) => page.getByText('As the file itself').click()] },
    ];
  }),
  {
    name: 'layout-problems',
    query: 'scene=practice',
    actions: [
      step('buildings'),
      click('roster-show'),
      click('roster-content-changes'),
      click('layout-new'),
      (page) => page.getByTestId('field-layout-name').fill('Changes for the front desk'),
      click('layout-name-take'),
      click('column-remove-10'),
      click('column-remove-1'),
      (page) => page.getByTestId('column-title-0').fill(''),
      until('layout-problems'),
    ],
  },
  {
    name: 'layout-name',
    query: 'scene=practice',
    actions: [step('buildings'), click('roster-show'), click('layout-new'), (page) => page.getByTestId('field-layout-name').fill(' '), click('layout-name-take')],
  },
  {
    name: 'layout-delete',
    query: 'scene=practice',
    actions: [step('buildings'), click('roster-show'), click('layout-new'), click('layout-name-take'), click('layout-delete'), until('layout-delete-confirm')],
  },
  { name: 'layout-no-roster', query: 'scene=practice&fail=roster', actions: [step('buildings'), click('roster-show'), until('no-roster')] },
  { name: 'layout-failed', query: 'scene=practice&fail=preview', actions: [step('buildings'), click('roster-show'), until('error-code')] },
  ...['', '-question', '-tested', '-changed', '-wrong', '-accepted', '-long'].map((suffix) => ({
    name: `raptor-sftp${suffix}`,
    query: `scene=practice${{ '-changed': '&changed-key', '-accepted': '&fail=lists', '-long': '&long' }[suffix] ?? ''}`,
    actions: [
      ...(suffix === '-changed' ? [click('open-setup')] : []),
      step('buildings'),
      click('raptor-way-sftp'),
      ...(suffix === ''
        ? []
        : [
            (page) =>
              page
                .getByTestId('field-raptor-host')
                .fill(`sftp.${suffix === '-long' ? 'washington-county-regional-cooperative.k12.example.org' : 'northfield.k12.us'}`),
            (page) => page.getByTestId('field-raptor-username').fill(suffix === '-wrong' ? ' ' : 'raptor'),
            (page) => page.getByTestId('field-raptor-password').fill('a password'),
            (page) => page.getByTestId('field-raptor-confirm').fill('a password'),
          ]),
      ...(suffix === '-wrong'
        ? [(page) => page.getByTestId('field-raptor-port').fill('99999'), (page) => page.getByTestId('field-raptor-host').fill(' '), click('step-next')]
        : []),
      ...(['', '-wrong'].includes(suffix) ? [] : [click('test-raptor')]),
      ...(['-question', '-long'].includes(suffix) ? [until('accept-host-key')] : []),
      ...(['-tested', '-accepted'].includes(suffix) ? [click('accept-host-key'), (page) => page.getByText('The server is ready.').last().waitFor()] : []),
      ...(suffix === '-accepted' ? [click('step-next'), click('step-back'), until('accepted-host-key'), until('error-code')] : []),
      ...(suffix === '-changed' ? [until('host-key-changed')] : []),
    ],
  })),
  ...['disabled', 'pending_initialization', 'reinitializing', 'reinitialization_scheduled'].map((status) => ({
    name: `raptor-${status}`,
    query: `scene=home&own&status=${status}${status === 'reinitializing' ? '&open' : ''}`,
  })),
  {
    name: 'raptor-before-window',
    query: 'scene=home&own&status=pending_initialization',
    actions: [click('run-now-raptor'), until('before-window')],
  },
  { name: 'raptor-history', query: 'scene=home&own', actions: [click('status-history'), until('raptor-history')] },
  { name: 'raptor-history-empty', query: 'scene=quiet&own', actions: [click('status-history'), until('no-history')] },
  { name: 'raptor-history-failed', query: 'scene=home&own&fail=history', actions: [click('status-history'), until('error-code')] },
  { name: 'trace', query: 'scene=home&own', actions: [click('find-row'), until('trace-rows')] },
  { name: 'trace-empty', query: 'scene=quiet&own', actions: [click('find-row'), until('trace-none')] },
  { name: 'trace-failed', query: 'scene=home&own&fail=trace', actions: [click('find-row'), until('error-code')] },
  { name: 'trace-searching', query: 'scene=home&own&pace=600000', actions: [click('find-row')] },
  {
    name: 'trace-wrong',
    query: 'scene=home&own',
    actions: [
      click('find-row'),
      until('trace-rows'),
      (page) => page.getByTestId('field-trace-student').fill('10-422'),
      (page) => page.getByTestId('field-trace-line').fill('0'),
      click('trace-find'),
    ],
  },
  ...['', '-long'].map((suffix) => ({
    name: `trace-row${suffix}`,
    query: `scene=home&own${suffix === '' ? '' : '&long'}`,
    actions: [click('find-row'), (page) => page.getByTestId('trace-row').first().click(), until('row-steps')],
  })),
  ...['', '-long'].map((suffix) => ({
    name: `trace-day${suffix}`,
    query: `scene=home&own${suffix === '' ? '' : '&long'}`,
    actions: [click('find-row'), click('tab-day'), until('reconciliation')],
  })),
  {
    name: 'trace-day-empty',
    query: 'scene=home&own',
    actions: [click('find-row'), click('tab-day'), until('reconciliation'), click('day-after'), (page) => page.getByText('No row was read').waitFor()],
  },
  { name: 'gallery', query: 'gallery', actions: [] },
  { name: 'gallery-contrast', query: 'gallery', actions: [(page) => page.getByTestId('theme').selectOption('contrast')] },
  { name: 'gallery-modal', query: 'gallery', actions: [click('modal-open'), (page) => page.getByRole('dialog').waitFor()] },
  { name: 'gallery-modal-wide', query: 'gallery', actions: [click('modal-wide-open'), (page) => page.getByRole('dialog').waitFor()] },
  { name: 'gallery-dark-contrast', query: 'gallery', actions: [(page) => page.getByTestId('theme').selectOption('dark'), (page) => page.emulateMedia({ contrast: 'more' })] },
  { name: 'frame-contrast', query: 'scene=home&own', actions: [(page) => page.getByTestId('theme').selectOption('contrast')] },
  { name: 'frame-palette', query: 'scene=home&own', actions: [click('palette-open'), until('palette-input')] },
  {
    name: 'frame-palette-found',
    query: 'scene=home',
    actions: [
      click('palette-open'),
      click('command-activity'),
      click('palette-open'),
      click('command-theme-dark'),
      click('palette-open'),
      (page) => page.getByTestId('palette-input').fill('co'),
    ],
  },
  { name: 'frame-palette-recent', query: 'scene=home', actions: [click('palette-open'), click('command-settings'), click('palette-open'), until('palette-input')] },
  { name: 'frame-palette-none', query: 'scene=home&own', actions: [click('palette-open'), (page) => page.getByTestId('palette-input').fill('zebra'), until('palette-none')] },
  { name: 'frame-shortcuts', query: 'scene=home&own', actions: [(page) => page.keyboard.press('?'), until('shortcut-sheet')] },
  { name: 'frame-palette-run', query: 'scene=home&own&accounts&long', actions: [click('palette-open'), (page) => page.getByTestId('palette-input').fill('run')] },
  {
    name: 'frame-language-asked',
    query: 'scene=home&own',
    actions: [
      click('open-setup'),
      click('section-exchanges'),
      click('exchange-raptor-tardies'),
      click('nav-settings'),
      click('settings-appearance'),
      click('language-es'),
      until('language-turn'),
    ],
  },
  { name: 'frame-long', query: 'scene=home&own&long', actions: [until('nav-home')] },
  { name: 'frame-practice', query: 'scene=home', actions: [until('leave-practice')] },
  { name: 'frame-unread', query: 'scene=home&own&fail=status', actions: [click('nav-activity'), click('nav-home'), until('error-code')] },
  ...['connections', 'mappings', 'schedules', 'notifications', 'network', 'limits', 'appearance', 'start', 'updates', 'backups', 'support', 'districts', 'erase'].flatMap(
    (section) =>
      ['', '-long'].map((suffix) => ({
        name: `settings-${section}${suffix}`,
        query: `scene=home&own${suffix === '' ? '' : '&long&second'}`,
        actions: [
          click('nav-settings'),
          click(`settings-${section}`),
          ...{ backups: [until('backups')], districts: [until('districts')], start: [until('start-at-login')], updates: [until('updates-server')] }[section] ?? [],
        ],
      })),
  ),
  ...[
    ['practice', 'scene=home', 'schedules', []],
    ['notifications-wrong', 'scene=home&own', 'notifications', [(page) => page.getByTestId('field-mail-host').fill('smtp.northfield.org'), click('settings-save')]],
    ['connection-open', 'scene=home&own', 'connections', [click('connection-hero')]],
    ['network-proxy', 'scene=home&own&long', 'network', [click('proxy'), click('proxy-explicit'), click('certificates')]],
    ['limits-wrong', 'scene=home&own', 'limits', [(page) => page.getByTestId('field-guard-percent').fill('101'), (page) => page.getByTestId('field-retention').fill('a year'), click('settings-save')]],
    ['backups-none', 'scene=quiet&own', 'backups', [until('no-backups')]],
    ['backups-failed', 'scene=home&own&fail=backups', 'backups', [until('error-code')]],
    ['backups-restore', 'scene=home&own', 'backups', [click('restore'), until('restore-confirm')]],
    ['backups-restored', 'scene=home&own&long', 'backups', [click('restore'), click('restore-confirm'), (page) => page.getByText('The backup was restored').waitFor()]],
    ['backups-refused', 'scene=home&own&fail=restore', 'backups', [click('restore'), click('restore-confirm'), until('error-code')]],
    ['recovery-wrong', 'scene=home&own', 'backups', [(page) => page.getByTestId('field-recovery-passphrase').fill('too short'), (page) => page.getByTestId('field-recovery-again').fill('another one')]],
    ['support-saved', 'scene=home&own&long', 'support', [click('support-save'), until('support-said')]],
    ['support-failed', 'scene=home&own&fail=bundle', 'support', [click('support-save'), until('error-code')]],
    ['update-found', 'scene=home&own&updates=on', 'updates', [click('update-look'), until('update-install')]],
    ['update-refused', 'scene=home&own&updates=signature', 'updates', [click('update-look'), click('update-install'), click('update-confirm'), until('error-code')]],
    ['district-name', 'scene=home&own', 'districts', [until('districts'), (page) => page.getByTestId('field-district').fill('two words')]],
    ['district-failed', 'scene=home&own&fail=profile', 'districts', [click('district-open-harbor'), until('error-code')]],
    ['erase-ask', 'scene=home&own', 'erase', [click('erase'), (page) => page.getByTestId('field-erase').fill('defau')]],
    ['erase-refused', 'scene=home&own&fail=erase', 'erase', [click('erase'), (page) => page.getByTestId('field-erase').fill('default'), click('erase-confirm'), until('error-code')]],
    ['erased', 'scene=home&own', 'erase', [click('erase'), (page) => page.getByTestId('field-erase').fill('default'), click('erase-confirm'), until('erased')]],
    ['erased-left', 'scene=home&own&left&long', 'erase', [click('erase'), (page) => page.getByTestId('field-erase').fill('default'), click('erase-confirm'), until('erase-left')]],
  ].map(([name, query, section, actions]) => ({ name: `settings-${name}`, query, actions: [click('nav-settings'), click(`settings-${section}`), ...actions] })),
  { name: 'rescue-key', query: 'scene=home&own&fail=key', actions: [until('recover')] },
  { name: 'rescue-ledger', query: 'scene=home&own&fail=no-backup', actions: [until('begin-anew')] },
  { name: 'activity', query: 'scene=home&own&records=100000', actions: [click('nav-activity'), until('chart-days'), until('day-timeline')] },
  {
    name: 'activity-time',
    query: 'scene=home&own&records=100000',
    actions: [
      click('nav-activity'),
      click('chart-measure-time'),
      (page) => page.getByTestId('chart-days').focus(),
      (page) => page.keyboard.press('PageUp'),
      (page) => page.getByText('Wed, Nov 11').or(page.getByTestId('day-timeline')).first().waitFor(),
      (page) => page.getByText('As a table').click(),
    ],
  },
  { name: 'activity-empty', query: 'scene=quiet&own', actions: [click('nav-activity'), until('no-runs')] },
  { name: 'activity-error', query: 'scene=home&own&fail=trace', actions: [click('nav-activity'), until('error-code')] },
  { name: 'activity-long', query: 'scene=home&own&long&records=100000', actions: [click('nav-activity'), until('chart-days'), until('day-timeline')] },
  ...['', '-long'].map((suffix) => ({
    name: `activity-rows${suffix}`,
    query: `scene=home&own&records=100000${suffix === '' ? '' : '&long'}`,
    actions: [
      click('nav-activity'),
      click('tab-records'),
      until('rows-total'),
      (page) => page.getByTestId('trace-rows').focus(),
      (page) => page.keyboard.press('ArrowDown'),
      (page) => page.keyboard.press('Shift+ArrowDown'),
      (page) => page.keyboard.press('Shift+ArrowDown'),
      until('rows-copy'),
    ],
  })),
  {
    name: 'activity-rows-end',
    query: 'scene=home&own&records=100000',
    actions: [
      click('nav-activity'),
      click('tab-records'),
      until('rows-total'),
      (page) => page.getByTestId('trace-rows').focus(),
      (page) => page.keyboard.press('End'),
      (page) => page.locator('[aria-rowindex="100007"][data-testid="trace-row"]').waitFor(),
    ],
  },
  {
    name: 'activity-exported',
    query: 'scene=home&own&records=100000',
    actions: [click('nav-activity'), click('tab-records'), click('rows-export'), until('rows-written')],
  },
  { name: 'activity-few', query: 'scene=home&own', actions: [click('nav-activity'), until('chart-days'), until('day-timeline')] },
  { name: 'activity-before', query: 'scene=home&own', actions: [click('nav-activity'), until('chart-days'), click('days-before'), until('chart-days')] },
  ...[
    ['', '', [until('undo-outcome')]],
    ['-long', '&long', [until('undo-outcome'), (page) => page.getByTestId('undo-left').first().getByRole('group').locator('summary').click()]],
    ['-going', '&pace=700', [until('undo-going')]],
    ['-error', '&fail=undo', [until('error-code')]],
    ['-done', '', [click('undo-confirm'), until('undo-close')]],
    ['-broken-off', '&fail=undone', [click('undo-confirm'), until('error-code')]],
  ].map(([suffix, query, actions]) => ({
    name: `activity-undo${suffix}`,
    query: `scene=home&own${query}`,
    actions: [click('nav-activity'), (page) => page.getByTestId('day-runs').getByRole('button').first().click(), click('undo-run'), ...actions],
  })),
  {
    name: 'activity-take-back',
    query: 'scene=home&own',
    actions: [click('nav-activity'), click('tab-records'), (page) => page.getByTestId('trace-row').nth(5).click(), until('step-take-back')],
  },
  { name: 'held-exported', query: 'scene=home&long', actions: [click('nav-activity'), click('tab-held'), click('held-export'), until('rows-written')] },
  // A set-up that was changed elsewhere, and files over the window.
  {
    name: 'setup-clash',
    query: 'scene=home&own&clash',
    actions: [
      click('nav-settings'),
      click('settings-notifications'),
      (page) => page.getByTestId('field-mail-host').fill('smtp.a-mail-server-with-a-rather-long-name.washington-county.k12.example.org'),
      (page) => page.getByTestId('field-mail-from').fill('office@northfield.org'),
      (page) => page.getByTestId('field-mail-to').fill('office@northfield.org'),
      click('settings-save'),
      until('setup-clash'),
    ],
  },
  ...[
    ['setup', 'north.json', 'application/json', 'dragover', 'drop-layer'],
    ['unknown', 'north.rosterbridge', '', 'dragover', 'drop-layer'],
    ['import', 'north.rosterbridge', '', 'drop', 'chosen-file'],
    ['names', 'buildings.csv', 'text/csv', 'drop', 'drop-buildings'],
    ['useless', 'a-letter-with-a-rather-long-name-that-somebody-wrote-about-the-roster.pdf', 'application/pdf', 'drop', 'drop-useless'],
  ].map(([name, file, type, what, shown]) => ({
    name: `drop-${name}`,
    query: 'scene=home&own',
    actions: [until('nav-home'), overWindow(file, type, what), until(shown)],
  })),
  { name: 'settings-about', query: 'scene=home&own', actions: ABOUT },
  { name: 'licences', query: 'scene=home&own', actions: [...ABOUT, click('licences-open'), until('licences-search')] },
  { name: 'licences-none', query: 'scene=home&own', actions: [...ABOUT, click('licences-open'), (page) => page.getByTestId('licences-search').fill('zebra')] },
  {
    name: 'licences-failed',
    query: 'scene=home&own',
    actions: [(page) => page.route('**/licences.json', (route) => route.fulfill({ body: '' })), ...ABOUT, click('licences-open'), until('error-code')],
  },
  {
    name: 'licences-text',
    query: 'scene=home&own&long',
    actions: [
      ...ABOUT,
      click('licences-open'),
      (page) => page.getByTestId('licences-search').fill('openssl apache'),
      (page) => page.getByTestId('licences-search').press('ArrowDown'),
      (page) => page.keyboard.press('Enter'),
      (page) => page.getByTestId('licences-text').first().waitFor(),
    ],
  },
];

/** Looked at in Spanish, too: where most is told of what the engine found. */
const IN_SPANISH = [
  'home-trouble',
  'home-other-sender',
  'held',
  'raptor-history',
  'trace-row',
  'activity-undo',
  'account-day',
  'account-sheet',
  'confirmation-obstacles',
  'powerschool-failed',
  'licences-text',
];
for (const scene of SCENES.filter(({ name }) => IN_SPANISH.includes(name))) {
  SCENES.push({ ...scene, name: `spanish-${scene.name}`, language: 'es' });
}

export const LOOKS = [
  { suffix: 'light', colorScheme: 'light', viewport: NORMAL },
  { suffix: 'dark', colorScheme: 'dark', viewport: NORMAL },
  { suffix: 'narrow', colorScheme: 'light', viewport: NARROW },
  { suffix: 'tiny', colorScheme: 'light', viewport: TINY },
  { suffix: 'wide', colorScheme: 'dark', viewport: WIDE },
];

/** Builds the interface with the sample data into a folder. */
export async function buildSamples(folder) {
  // A text that no catalogue has would be none at all.
  execFileSync('npx', ['wuchale'], { cwd: here, stdio: 'ignore', shell: process.platform === 'win32' });
  await build({ root: here, mode: 'fixture', logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
}

/** Serves it under the window's own content security policy; with port 0 at a free one. */
export async function serveSamples(port, folder) {
  const server = await preview({
    root: here,
    mode: 'fixture',
    logLevel: 'error',
    preview: { port, strictPort: port !== 0 },
    build: { outDir: folder },
  });
  return { address: server.resolvedUrls.local[0], close: () => server.close() };
}

/** Hands `look` a browser and the address of the interface on the sample data. Ends both afterwards. */
export async function withBrowser(port, look) {
  await buildSamples(dist);
  const server = await serveSamples(port, dist);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    await look(browser, server.address);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Opens a scene in a new page, tells `problem` what the page complains about, and does what the scene asks for. */
export async function openScene(context, address, scene, problem) {
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problem(message.text());
  });
  page.on('pageerror', (error) => problem(error.message));
  page.setDefaultTimeout(20_000);
  // No scene finds what another one has kept.
  await page.addInitScript(() => localStorage.clear());
  if (scene.language !== undefined) {
    await page.addInitScript((language) => localStorage.setItem('rosterbridge.language', language), scene.language);
  }
  await page.goto(`${address}?${scene.query}`);
  await page.locator('h1').first().waitFor();
  for (const action of scene.actions ?? []) await action(page);
  return page;
}
