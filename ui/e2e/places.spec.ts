// By the keyboard alone on the sample data: every action is reached by Tab, what is focused is seen to be and is not
// covered, and a dialog keeps the focus until Escape closes it and gives the focus back.
import { expect, test, type Page } from '@playwright/test';
import { Keyboard } from './keyboard';

interface Place {
  name: string;
  query: string;
  /** What is pressed first to have more to reach. */
  open: string[];
}

/** The steps with most to enter, and Home. */
const PLACES: Place[] = [
  { name: 'the step of a new district', query: 'scene=new', open: ['welcome-district'] },
  {
    name: 'the step with everything open',
    query: 'scene=practice&tested',
    open: ['section-exchanges', 'plugin-fields', 'section-plugin', 'proxy', 'proxy-explicit', 'certificates', 'access-toggle'],
  },
  { name: 'a test with missing access', query: 'scene=practice&fail=access', open: ['test-powerschool'] },
  { name: 'a test with unknown credentials', query: 'scene=practice&fail=replaced', open: ['test-powerschool'] },
  { name: 'a waiting test', query: 'scene=practice&waiting', open: [] },
  {
    name: 'the schedule with an exchange open',
    query: 'scene=home&own',
    open: ['open-setup', 'step-schedule', 'schedule-hero-students-change', 'schedule-hero-students-own-zone'],
  },
  {
    name: 'the buildings with a row open',
    query: 'scene=practice&changes&schools=12',
    open: ['step-buildings', 'mapping-changes', 'building-method-3-both', 'building-more-3', 'prerequisites-show', 'window-show'],
  },
  { name: 'the tardy codes', query: 'scene=practice&changes', open: ['step-tardies', 'tardy-change-0', 'tardy-new'] },
  { name: 'the layout of the roster files', query: 'scene=practice', open: ['step-buildings', 'roster-show', 'layout-new', 'layout-name-take', 'raptor-way-sftp'] },
  {
    name: 'the form of an export',
    query: 'scene=practice',
    open: ['step-hero', 'hero-students-change', 'hero-students-format', 'hero-students-rows', 'hero-students-others', 'hero-students-problems'],
  },
  {
    name: 'the form of the import, and two accounts',
    query: 'scene=practice&accounts',
    open: ['step-hero', 'hero-attendance-change', 'hero-attendance-format', 'files-look'],
  },
  {
    name: 'the managed connections',
    query: 'scene=home&own&second',
    open: ['open-setup', 'step-hero', 'hero-advanced', 'hero-allow-legacy', 'earlier-keys-hero'],
  },
  { name: 'a private key', query: 'scene=practice', open: ['step-hero', 'hero-sign-in-private_key'] },
  { name: 'the search for rows', query: 'scene=home&own', open: ['find-row'] },
  { name: 'all rows of a day', query: 'scene=home&own', open: ['find-row', 'tab-day'] },
  { name: 'Home with everything on it', query: 'scene=home&own&paused=tomorrow&mail', open: [] },
];

const DIALOGS: (Omit<Place, 'name'> & { opener: string })[] = [
  { query: 'scene=home&own', open: [], opener: 'status-history' },
  { query: 'scene=home&own&status=pending_initialization', open: [], opener: 'run-now-raptor' },
  { query: 'scene=home&own', open: [], opener: 'pause-open' },
  { query: 'scene=home&own', open: ['nav-settings'], opener: 'palette-open' },
  { query: 'scene=practice', open: ['section-plugin'], opener: 'vendor-open' },
  { query: 'scene=practice', open: ['step-buildings', 'building-row-5'], opener: 'buildings-several' },
  { query: 'scene=practice', open: ['step-buildings', 'building-row-5'], opener: 'raptor-submit' },
  { query: 'scene=practice', open: [], opener: 'handover-open' },
  { query: 'scene=practice', open: [], opener: 'handover-write' },
  { query: 'scene=practice', open: ['step-hero'], opener: 'known-hosts-hero' },
  { query: 'scene=practice&changed-key', open: ['open-setup', 'step-hero', 'test-hero'], opener: 'replace-host-key' },
  { query: 'scene=home&own&second', open: ['open-setup', 'step-hero', 'connection-connection-3'], opener: 'connection-delete' },
  { query: 'scene=practice&fail=authority', open: ['test-powerschool'], opener: 'view-certificate' },
];

/** Numbers what there is to reach by Tab, and says what each is. Runs in the page. */
function numberActions(): string[] {
  const actions = [...document.querySelectorAll<HTMLElement>('a[href], button, input, textarea, select, summary, [tabindex]')].filter(
    (element) =>
      element.tabIndex >= 0 &&
      !(element as HTMLButtonElement).disabled &&
      element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) &&
      // Of radio buttons the chosen one: the arrow keys reach the others.
      !(element instanceof HTMLInputElement && element.type === 'radio' && !element.checked),
  );
  return actions.map((element, number) => {
    element.dataset.number = String(number);
    return element.dataset.testid ?? element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 40);
  });
}

async function arrive(page: Page, { query, open }: Omit<Place, 'name'>): Promise<void> {
  await page.goto(`${process.env.E2E_SAMPLES}?${query}&pace=0`);
  await page.locator('h1').first().waitFor();
  for (const id of open) await page.getByTestId(id).click();
  await page.waitForLoadState('networkidle');
  // What is still read moves what stands below it: the focus, too.
  await expect(page.getByText('Reading…').filter({ visible: true })).toHaveCount(0);
  // A test under way has a button that goes with it.
  await expect(page.getByTestId('cancel-test')).toHaveCount(0);
}

for (const place of PLACES) {
  test(place.name, async ({ page }) => {
    await arrive(page, place);
    await page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      window.getSelection()?.removeAllRanges();
    });
    const actions = await page.evaluate(numberActions);
    const keyboard = new Keyboard(page);
    const reached = new Set<string>();
    // Once around, and a little more for what lies outside the page.
    for (let presses = 0; presses < actions.length + 4 && reached.size < actions.length; presses += 1) {
      const at = await keyboard.tab();
      if (at?.number !== undefined) reached.add(at.number);
    }
    const missed = actions.filter((_, number) => !reached.has(String(number)));
    expect.soft(missed, 'what Tab does not reach').toEqual([]);
    expect([...keyboard.problems]).toEqual([]);
  });
}

for (const { opener, ...place } of DIALOGS) {
  test(`the dialog of ${opener}, ${place.query}`, async ({ page }) => {
    await arrive(page, place);
    const button = page.getByTestId(opener);
    await button.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    const stops = await dialog.locator('button, input, summary, [tabindex]').count();
    for (const key of ['Tab', 'Shift+Tab']) {
      for (let presses = 0; presses <= stops; presses += 1) {
        await page.keyboard.press(key);
        const inside = await dialog.evaluate((element) => element.contains(document.activeElement));
        expect(inside, `${key} stays inside`).toBe(true);
      }
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await expect(button).toBeFocused();
  });
}
