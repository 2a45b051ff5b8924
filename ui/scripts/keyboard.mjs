// The steps with most to enter, and Home, worked by the keyboard alone: every action is reached by Tab, what is focused is seen to be and
// is not covered, and a dialog keeps the focus until Escape closes it and gives the focus back.

const PLACES = [
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

const DIALOGS = [
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
function numberActions() {
  const actions = [...document.querySelectorAll('a[href], button, input, textarea, select, summary, [tabindex]')].filter(
    (element) =>
      element.tabIndex >= 0 &&
      !element.disabled &&
      element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) &&
      // Of radio buttons the chosen one: the arrow keys reach the others.
      !(element.type === 'radio' && !element.checked),
  );
  return actions.map((element, number) => {
    element.dataset.number = String(number);
    const { testid } = element.dataset;
    return testid ?? element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 40);
  });
}

/** How the numbered elements look: those of a file or a box drawn around an input carry its focus. Runs in the page. */
function looks() {
  return [...document.querySelectorAll('[data-number]')].map((element) => {
    const shown = element.classList.contains('unseen') ? (element.closest('label') ?? element) : element;
    const style = getComputedStyle(shown);
    return `${style.boxShadow} ${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor} ${style.borderColor}`;
  });
}

/** What is focused, how it looks, and whether something covers it. Runs in the page. */
function focused() {
  const element = document.activeElement;
  const shown = element.classList.contains('unseen') ? (element.closest('label') ?? element) : element;
  const style = getComputedStyle(shown);
  const { left, top, width, height } = shown.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  return {
    number: element.dataset.number === undefined ? undefined : Number(element.dataset.number),
    look: `${style.boxShadow} ${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor} ${style.borderColor}`,
    covered: there === null || !(shown.contains(there) || there.contains(shown)),
  };
}

async function walk(page, name, problems) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.getSelection()?.removeAllRanges();
  });
  const actions = await page.evaluate(numberActions);
  const before = await page.evaluate(looks);
  const reached = new Set();
  // Once around, and a little more for what lies outside the page.
  for (let presses = 0; presses < actions.length + 4 && reached.size < actions.length; presses += 1) {
    await page.keyboard.press('Tab');
    const { number, look, covered } = await page.evaluate(focused);
    if (number === undefined || reached.has(number)) continue;
    reached.add(number);
    if (look === before[number]) problems.push(`${name}: focus is not seen on ${actions[number]}`);
    if (covered) problems.push(`${name}: ${actions[number]} is covered while it has the focus`);
  }
  for (const [number, action] of actions.entries()) {
    if (!reached.has(number)) problems.push(`${name}: Tab does not reach ${action}`);
  }
}

async function arrive(context, address, { query, open }) {
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  await page.goto(`${address}?${query}&pace=0`);
  await page.locator('h1').first().waitFor();
  for (const id of open) await page.getByTestId(id).click();
  return page;
}

async function keepsFocus(page, opener, problems) {
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
      if (!inside) {
        problems.push(`The dialog of ${opener}: ${key} leaves it`);
        break;
      }
    }
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const back = await button.evaluate((element) => element === document.activeElement);
  if (!back) problems.push(`The dialog of ${opener}: the focus does not return when it closes`);
}

/** What does not work by the keyboard. */
export async function keyboardProblems(browser, address) {
  const problems = [];
  const context = await browser.newContext({ viewport: { width: 1180, height: 780 }, reducedMotion: 'reduce' });
  for (const place of PLACES) {
    try {
      const page = await arrive(context, address, place);
      await page.waitForLoadState('networkidle');
      await walk(page, place.name, problems);
      await page.close();
    } catch (error) {
      problems.push(`${place.name}: ${error.message.split('\n')[0]}`);
    }
  }
  for (const dialog of DIALOGS) {
    try {
      const page = await arrive(context, address, dialog);
      await keepsFocus(page, dialog.opener, problems);
      await page.close();
    } catch (error) {
      problems.push(`The dialog of ${dialog.opener}: ${error.message.split('\n')[0]}`);
    }
  }
  await context.close();
  return problems;
}
