import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open, type User } from '../../test-window';

/** The buildings step on the sample data. */
async function openStep(more = '') {
  const user = open(`scene=practice${more}`);
  if (more.includes('changed-key')) await user.click(await byId('open-setup'));
  await user.click(await byId('step-buildings'));
  return user;
}

const titles = async () =>
  within(await byId('column'))
    .getAllByRole('textbox')
    .map((input) => (input as HTMLInputElement).value);
const previewed = () => [...screen.getByTestId('roster-preview').querySelectorAll('th')].map((cell) => cell.textContent);

/** The same, with the layout of the roster files opened. */
async function openLayout(more = '') {
  const user = await openStep(more);
  await user.click(await byId('roster-show'));
  return user;
}

/** An own layout of that name is made and in use. */
async function ownLayout(user: User, name = 'Front desk') {
  await user.click(await byId('layout-new'));
  await user.clear(await byId('field-layout-name'));
  await user.type(await byId('field-layout-name'), name);
  await user.click(await byId('layout-name-take'));
  await byId('layout-editor');
}

describe('the layout of the roster files', () => {
  test('Raptor’s usual one is in use, shown, and not changed', async () => {
    await openLayout();
    await waitFor(() => expect(previewed()).toHaveLength(11));
    expect(screen.queryByTestId('layout-editor')).toBeNull();
    expect((await byId('roster-preview')).textContent).toContain('roster/Apple Grove Elem.csv');
  });

  test('one of one’s own is changed by the keyboard, shown at once, and kept', async () => {
    const user = await openLayout();
    await ownLayout(user);
    // Grade goes up twice: the focus follows it.
    const up = await byId('column-up-6');
    up.focus();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('column-up-5')));
    await user.keyboard('{Enter}');
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('column-up-4')));
    expect(screen.getByText('Grade is number 5 of 11.')).toBeTruthy();
    await user.clear(await byId('column-title-1'));
    await user.type(await byId('column-title-1'), 'Student ID');
    await user.click(await byId('column-remove-9'));
    await user.click(await byId('layout-dates-us'));
    const wanted = ['Building', 'Student ID', 'FirstName', 'MiddleName', 'Grade', 'LastName', 'DateOfBirth', 'Homeroom', 'GuardianEmail', 'Status'];
    expect(await titles()).toEqual(wanted);
    await waitFor(() => expect(previewed()).toEqual(wanted));
    await waitFor(() => expect(screen.getByTestId('roster-preview').textContent).toContain('09/01/2016'));

    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    await user.click(await byId('roster-show'));
    expect(await titles()).toEqual(wanted);
    expect(await byId('layout-dates-us')).toHaveProperty('checked', true);
  });

  test('at an end the focus goes to the way that is left', async () => {
    const user = await openLayout();
    await ownLayout(user);
    await user.click(await byId('column-up-1'));
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('column-down-0')));
  });

  test('a removed column is added again at the end', async () => {
    const user = await openLayout();
    await ownLayout(user);
    expect(screen.queryByTestId('column-add')).toBeNull();
    await user.click(await byId('column-remove-6'));
    await user.click(await byId('column-add'));
    await user.click(await screen.findByRole('option', { name: /Grade level/ }));
    expect((await titles()).at(-1)).toBe('Grade');
  });

  test('what is wrong with it is said beside the preview', async () => {
    const user = await openLayout();
    await ownLayout(user);
    await user.click(await byId('roster-content-changes'));
    await user.click(await byId('column-remove-10'));
    await waitFor(async () => expect((await byId('layout-problems')).textContent).toContain('Active or Inactive'));
    await user.click(await byId('layout-usual'));
    await waitFor(() => expect(screen.queryByTestId('layout-problems')).toBeNull());
  });

  test('names are told apart', async () => {
    const user = await openLayout();
    await ownLayout(user);
    await user.click(await byId('layout-new'));
    await user.clear(await byId('field-layout-name'));
    await user.type(await byId('field-layout-name'), 'FRONT DESK');
    await user.click(await byId('layout-name-take'));
    expect(screen.getByText('Another layout has this name.')).toBeTruthy();
  });

  test('it is renamed, and deleted only after a question', async () => {
    const user = await openLayout();
    await ownLayout(user);
    await user.click(await byId('layout-rename'));
    await user.type(await byId('field-layout-name'), ' 2');
    await user.click(await byId('layout-name-take'));
    expect(await byId('layout')).toHaveProperty('value', 'Front desk 2');
    await user.click(await byId('layout-delete'));
    await user.click(await byId('layout-delete-confirm'));
    await waitFor(() => expect(screen.queryByTestId('layout-editor')).toBeNull());
    expect(await byId('layout')).toHaveProperty('value', 'Raptor’s usual layout');
  });

  test('a preview that can’t be made says why', async () => {
    await openLayout('&fail=preview');
    const preview = await byId('roster-preview');
    await waitFor(() => expect(within(preview).getByTestId('error-code').textContent).toBe('store.busy'));
  });
});

describe('a preview', () => {
  test('of a roster that was not read yet is no error', async () => {
    await openLayout('&fail=roster');
    expect((await byId('no-roster')).textContent).toContain('has not been read yet');
    expect(within(await byId('roster-preview')).queryByRole('alert')).toBeNull();
  });

  test('of another building is asked for', async () => {
    const user = await openLayout();
    await waitFor(() => expect(previewed()).toHaveLength(11));
    await user.click(await byId('preview-building'));
    await user.click(await screen.findByRole('option', { name: 'Juniper ES' }));
    await waitFor(() => expect(screen.getByTestId('roster-preview').textContent).toContain('roster/Juniper ES.csv'));
  });
});

describe('the exchange over SFTP', () => {
  async function enter(user: User) {
    await user.click(await byId('raptor-way-sftp'));
    await user.type(await byId('field-raptor-host'), 'sftp.northfield.org');
    await user.type(await byId('field-raptor-username'), 'raptor');
    await user.type(await byId('field-raptor-password'), 'a password');
    await user.type(await byId('field-raptor-confirm'), 'a password');
  }

  test('is saved and tested; its host key is asked for once', async () => {
    const user = await openStep();
    await enter(user);
    await user.click(await byId('test-raptor'));
    const question = await byId('host-key-question');
    expect(question.textContent).toContain('sftp.northfield.org (port 22)');
    await user.click(await byId('accept-host-key'));
    await waitFor(async () => expect((await byId('raptor-stages')).dataset.passed).toBe('true'));
    // The password went to the keychain and left the page.
    await byId('field-raptor-password-stored');
    await user.click(await byId('test-raptor'));
    await waitFor(async () => expect((await byId('raptor-stages')).dataset.passed).toBe('true'));
    expect(screen.queryByTestId('host-key-question')).toBeNull();

    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    expect(await byId('field-raptor-host')).toHaveProperty('value', 'sftp.northfield.org');
    // The folder comes back with the other choice.
    await user.click(await byId('raptor-way-folder'));
    expect((await byId('field-raptor-folder') as HTMLInputElement).value).toContain('practice/raptor');
  });

  test('a changed host key stops, with no way past it', async () => {
    const user = await openStep('&changed-key');
    await enter(user);
    await user.click(await byId('test-raptor'));
    const stop = await byId('host-key-changed');
    expect(within(stop).queryAllByRole('button')).toEqual([]);
    expect(screen.queryByTestId('accept-host-key')).toBeNull();
  });

  test('what was tested says nothing any more once it is changed', async () => {
    const user = await openStep();
    await user.click(await byId('test-raptor'));
    await waitFor(async () => expect((await byId('raptor-stages')).dataset.passed).toBe('true'));
    await user.type(await byId('field-raptor-folder'), '2');
    await waitFor(() => expect(screen.queryByTestId('raptor-stages')).toBeNull());
  });

  test('a step with a server that is none is not left', async () => {
    const user = await openStep();
    await user.click(await byId('raptor-way-sftp'));
    await user.clear(await byId('field-raptor-port'));
    await user.type(await byId('field-raptor-port'), '0');
    await user.click(await byId('step-next'));
    expect(screen.getByText(/From 1 to 65535/)).toBeTruthy();
    expect(screen.getByText(/The name of the server/)).toBeTruthy();
    await byId('field-raptor-host');
  });
});
